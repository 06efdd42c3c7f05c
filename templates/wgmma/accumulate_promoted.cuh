// The tensor core's accumulator of e4m3 products keeps about 13 bits: every plan::promote_tiles key
// tiles it joins a master in fp32 and starts anew. The master lies in shared memory, four numbers
// of a thread together; no thread touches another's. Warpgroups take turns, so that the others use
// the tensor cores meanwhile. A row's master keeps the reference it began with: what joins it is
// scaled up, and it is shrunk only when that comes near the end of the exponents.
//
// Truncation is towards zero, so what the accumulator lost is made up for on the average: in
// proportion to its keys, as measured (docs/benchmarks/hopper-log.md, version 15).
constexpr u32 kMasterStep =
    16 * 32 * plan::warps;  // bytes from four of a thread's to the next four
constexpr int kNumberSteps = plan::head_dim_v / 8;  // of four numbers
constexpr f32 kLostPerKey = 1.4e-6f;
constexpr f32 kMostMasterBits = 60.0f;

__device__ __forceinline__ u32 master_of(const Walk& walk) {
    return walk.shared + plan::master_offset + 16 * thread_index();
}

__device__ __forceinline__ void load_master(f32 (&numbers)[4], u32 address) {
    u32 bits[4];
    load_shared_u32x4(bits, address);
#pragma unroll
    for (int i = 0; i < 4; ++i) numbers[i] = bits_to_f32(bits[i]);
}
__device__ __forceinline__ void store_master(u32 address, const f32 (&numbers)[4]) {
    u32 bits[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) bits[i] = f32_to_bits(numbers[i]);
    store_shared_u32x4(address, bits);
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

// log2 of what a row's sums are to be multiplied by in order to join its master.
__device__ __forceinline__ void find_master_bits(f32 (&bits)[2], const Walk& walk,
                                                 const RowState& rows) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
        bits[h] = load_shared_f32(master_reference(walk, h)) - rows.offset[h];
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

// The accumulator of so many products becomes the master.
__device__ __forceinline__ void found_master(const Walk& walk, i32 products, const RowState& rows,
                                             Output& output) {
    const f32 gain = gain_of(products);
    keep_references(walk, rows);
#pragma unroll
    for (int i = 0; i < kNumberSteps; ++i) {
        f32 numbers[4];
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            numbers[j] = output[4 * i + j] * gain;
            output[4 * i + j] = 0.0f;
        }
        store_master(master_of(walk) + i * kMasterStep, numbers);
    }
}

// The master takes the reference of now.
__device__ __forceinline__ void move_master(const Walk& walk, const f32 (&bits)[2],
                                            const RowState& rows) {
    const f32 shrink[2] = {exp2_approx(-bits[0]), exp2_approx(-bits[1])};
#pragma unroll 1
    for (int i = 0; i < kNumberSteps; ++i) {
        f32 numbers[4];
        load_master(numbers, master_of(walk) + i * kMasterStep);
#pragma unroll
        for (int j = 0; j < 4; ++j) numbers[j] *= shrink[j / 2];
        store_master(master_of(walk) + i * kMasterStep, numbers);
    }
    keep_references(walk, rows);
}

// The accumulator of promote_tiles products joins the master.
__device__ __forceinline__ void promote(const Walk& walk, const RowState& rows, Output& output) {
    f32 bits[2];
    find_master_bits(bits, walk, rows);
    if (vote_any(bits[0] > kMostMasterBits || bits[1] > kMostMasterBits)) {
        move_master(walk, bits, rows);
        bits[0] = bits[1] = 0.0f;
    }
    const f32 gain = gain_of(plan::promote_tiles);
    const f32 scale[2] = {gain * exp2_approx(bits[0]), gain * exp2_approx(bits[1])};
#pragma unroll
    for (int i = 0; i < kNumberSteps; ++i) {
        // Keeps loads from running ahead of what there are registers for.
        if (i % 4 == 0) warp_barrier();
        f32 numbers[4];
        load_master(numbers, master_of(walk) + i * kMasterStep);
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            numbers[j] = fma_rn(output[4 * i + j], scale[j / 2], numbers[j]);
            output[4 * i + j] = 0.0f;
        }
        store_master(master_of(walk) + i * kMasterStep, numbers);
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
        found_master(walk, first, rows, output);
    } else {
        promote(walk, rows, output);
    }
}

// After the last of `tiles` products: all of O comes together.
__device__ __forceinline__ void join_master(const Walk& walk, i32 tiles, RowState& rows,
                                            Output& output) {
    const i32 first = find_first_promotion(tiles);
    const i32 left = 1 + (tiles - 1 - first) % plan::promote_tiles;
    rows.gain = gain_of(first == tiles ? tiles : left);
    if (first == tiles) return;
    f32 bits[2];
    find_master_bits(bits, walk, rows);
    const f32 shrink[2] = {exp2_approx(-bits[0]) / rows.gain, exp2_approx(-bits[1]) / rows.gain};
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
