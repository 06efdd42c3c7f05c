// The tensor core's accumulator of e4m3 products keeps about 13 bits: every plan::promote_tiles key
// tiles it joins a master. The master lies in shared memory, four numbers of a thread together; no
// thread touches another's. Warpgroups take turns, so that the others use the tensor cores
// meanwhile. A row's master has the reference that the row had when it was last promoted.
//
// Truncation is towards zero, so what the accumulator lost is made up for on the average: in
// proportion to its keys, as measured (docs/benchmarks/hopper-log.md, version 15). A master does
// without the gain of a whole stretch, which all but the ends of a row have in common.
constexpr u32 kMasterStep = kMasterBytes * 32 * plan::warps;  // from four of a thread's to the next
constexpr int kNumberSteps = plan::head_dim_v / 8;            // of four numbers
constexpr f32 kLostPerKey = 1.4e-6f;

__device__ __forceinline__ u32 master_of(const Walk& walk) {
    return walk.shared + plan::master_offset + kMasterBytes * thread_index();
}

// The offsets that go with the references of the masters of the lane's two rows. The four lanes of
// a row agree on it, and one writes it.
__device__ __forceinline__ u32 master_reference(const Walk& walk, int h) {
    return walk.shared + plan::master_reference_offset + 4 * (lane_row() + 8 * h);
}
__device__ __forceinline__ void keep_references(const Walk& walk, const RowState& rows) {
    warp_barrier();  // all have read the ones before
#pragma unroll
    for (int h = 0; h < 2; ++h) {
        store_shared_f32_if(lane_index() % 4 == 0, master_reference(walk, h), rows.offset[h]);
    }
    warp_barrier();
}

// What takes a row's master to the reference of now.
__device__ __forceinline__ void find_master_shrink(f32 (&shrink)[2], const Walk& walk,
                                                   const RowState& rows) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
        shrink[h] = exp2_approx(rows.offset[h] - load_shared_f32(master_reference(walk, h)));
    }
}

// Of `tiles` products, those before the first promotion; the next are promote_tiles further. As few
// promotions as will do, and where these are many one more, so that warpgroups can take turns.
__device__ __forceinline__ i32 find_first_promotion(i32 tiles) {
    constexpr i32 kGroups = plan::warps / 4;
    constexpr i32 kMany = 4;
    const i32 parts = divide_up(tiles, plan::promote_tiles);
    if (parts == 1) return tiles;
    i32 spare = parts * plan::promote_tiles - tiles;
    if (parts > kMany && 2 * spare < plan::promote_tiles) spare += plan::promote_tiles;
    const i32 turn = spare * static_cast<i32>(group_index()) / kGroups;
    const i32 first = plan::promote_tiles - turn;
    return static_cast<i32>(
        warp_uniform(static_cast<u32>(first > 0 ? first : first + plan::promote_tiles)));
}

// What makes up for truncation in a sum of so many tiles.
__device__ __forceinline__ f32 gain_of(i32 tiles) {
    return fma_rn(static_cast<f32>(tiles * plan::tile_k), truncation_loss(kLostPerKey), 1.0f);
}
__device__ __forceinline__ f32 gain_of_stretch() { return gain_of(plan::promote_tiles); }

// The accumulator becomes the master, or joins it.
template <bool first>
__device__ __forceinline__ void promote(const Walk& walk, const RowState& rows, f32 gain,
                                        Output& output) {
    f32 shrink[2];
    if constexpr (!first) find_master_shrink(shrink, walk, rows);
    keep_references(walk, rows);
#pragma unroll
    for (int i = 0; i < kNumberSteps; ++i) {
        // Keeps loads from running ahead of what there are registers for.
        if (i % 4 == 0) warp_barrier();
        const u32 address = master_of(walk) + i * kMasterStep;
        f32 master[4];
        if constexpr (!first) load_master(master, address);
        f32 sums[4];
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            const f32 sum = output[4 * i + j];
            sums[j] = first ? sum * gain : fma_rn(master[j], shrink[j / 2], sum);
        }
        store_master(address, sums);
#pragma unroll
        for (int j = 0; j < 4; ++j) output[4 * i + j] = sums[j];
    }
}

// Steps are walked in stretches, `tile` the first of one: step t adds the product of tile t - 1.
__device__ __forceinline__ i32 stretch_end(i32 tile, i32 tiles) {
    const i32 end = tile == 1 ? find_first_promotion(tiles) + 1 : tile + plan::promote_tiles;
    return end < tiles ? end : tiles;
}

// Before step `tile`: `tile` - 1 products have been added.
__device__ __forceinline__ void end_stretch(const Walk& walk, i32 tile, i32 tiles,
                                            const RowState& rows, Output& output) {
    const i32 first = find_first_promotion(tiles);
    const i32 later = tile - 1 - first;
    if (later < 0 || later % plan::promote_tiles != 0) return;
    if (later == 0) {
        promote<true>(walk, rows, gain_of(first) * (1.0f / gain_of_stretch()), output);
    } else {
        promote<false>(walk, rows, 1.0f, output);
    }
}

// After the last of `tiles` products: all of O comes together.
__device__ __forceinline__ void join_master(const Walk& walk, i32 tiles, RowState& rows,
                                            Output& output) {
    const i32 first = find_first_promotion(tiles);
    const i32 left = 1 + (tiles - 1 - first) % plan::promote_tiles;
    rows.gain = gain_of(first == tiles ? tiles : left);
    if (first == tiles) return;
    f32 shrink[2];
    find_master_shrink(shrink, walk, rows);
#pragma unroll
    for (int h = 0; h < 2; ++h) shrink[h] *= gain_of_stretch() / rows.gain;
#pragma unroll
    for (int i = 0; i < kNumberSteps; ++i) {
        f32 numbers[4];
        load_master(numbers, master_of(walk) + i * kMasterStep);
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            output[4 * i + j] = fma_rn(numbers[j], shrink[j / 2], output[4 * i + j]);
        }
    }
}
