// The walk of a warpgroup over the key tiles. At step t it issues S(t) = Q K(t)^T and
// O += P(t-1) V(t-1) together, and while the tensor cores work on the second it turns S(t) into
// P(t).

__device__ __forceinline__ f32 tile_factor(const Walk& walk, i32 tile, i32& first_bad_key) {
    const u32 meta = stage_base(walk.shared, tile) + plan::meta_offset;
    const i32 bad = static_cast<i32>(load_shared_u32(meta + 4 * plan::k_scales_per_tile));
    first_bad_key = bad < first_bad_key ? bad : first_bad_key;
    return max_f32(walk.query_factor * load_shared_f32(meta + 4 * (lane_index() % 4)),
                   kSmallestFactor);
}

__device__ __forceinline__ u64 keys_of(const Walk& walk, i32 tile) {
    return at_address(kInt8Descriptor, stage_base(walk.shared, tile) + plan::k_offset);
}
__device__ __forceinline__ u64 values_of(const Walk& walk, i32 tile) {
    return at_address(kValueDescriptor, stage_base(walk.shared, tile) + plan::v_offset);
}

// What a warp carries from step to step.
struct Carried {
    Scores scores;  // cleared for the next step
    RowState rows;
    i32 first_bad_key;
    bool arrived;  // the tiles of the next step
};

// The softmax of a step; meanwhile it asks whether the next step's tiles have arrived.
template <bool masked>
__device__ __forceinline__ void do_softmax(const Call& call, const TilePosition& position,
                                           const Walk& walk, i32 tile, f32 factor,
                                           Probabilities& now, Carried& carried) {
    if constexpr (masked) mask_scores(carried.scores, call, position, tile * plan::tile_k);
    update_reference(carried.scores, factor, carried.rows);
    carried.arrived = has_happened(walk.shared, Signal::kKeysArrived, tile + 1) &
                      has_happened(walk.shared, Signal::kValuesArrived, tile);
    exponentiate(now, carried.scores, factor, carried.rows);
}

// Step `tile` > 0: before holds P of the tile before, now receives P of this one.
template <bool masked>
__device__ __forceinline__ void do_step(const Call& call, const TilePosition& position,
                                        const Walk& walk, i32 tile, const Probabilities& before,
                                        Probabilities& now, Carried& carried, Output& output) {
    if (!carried.arrived) {
        wait_for(walk.shared, Signal::kKeysArrived, tile);
        wait_for(walk.shared, Signal::kValuesArrived, tile - 1);
    }
    const f32 factor = tile_factor(walk, tile, carried.first_bad_key);
    warpgroup_fence();
    start_qk(carried.scores, walk.query, keys_of(walk, tile));
    start_pv(output, before, values_of(walk, tile - 1));
    warpgroup_wait<1>();
    signal_read(walk.shared, Signal::kKeysRead, tile);
    do_softmax<masked>(call, position, walk, tile, factor, now, carried);
    warpgroup_wait<0>();
    signal_read(walk.shared, Signal::kValuesRead, tile - 1);
    if (carried.rows.moved) rescale(output, carried.rows);
}

__device__ __forceinline__ void finish_walk(const Walk& walk, i32 tile, const Probabilities& last,
                                            Output& output) {
    wait_for(walk.shared, Signal::kValuesArrived, tile);
    warpgroup_fence();
    start_pv(output, last, values_of(walk, tile));
    warpgroup_wait<0>();
    signal_read(walk.shared, Signal::kValuesRead, tile);
}

// All steps of a group whose rows see `tiles` > 0 key tiles. Two a turn, so that both buffers of
// P are registers.
__device__ __forceinline__ void walk_keys(const Call& call, const TilePosition& position,
                                          const Walk& walk, i32 tiles, Carried& carried,
                                          Output& output) {
    Probabilities even, odd;
    clear_scores(carried.scores);
    wait_for(walk.shared, Signal::kKeysArrived, 0);
    const f32 factor = tile_factor(walk, 0, carried.first_bad_key);
    warpgroup_fence();
    start_qk(carried.scores, walk.query, keys_of(walk, 0));
    warpgroup_wait<0>();
    signal_read(walk.shared, Signal::kKeysRead, 0);
    do_softmax<true>(call, position, walk, 0, factor, even, carried);
    i32 tile = 1;
    // Most steps have no key to mask, and are spelled without a mask.
#pragma unroll 1
    for (; tile + 1 < walk.unmasked; tile += 2) {
        do_step<false>(call, position, walk, tile, even, odd, carried, output);
        do_step<false>(call, position, walk, tile + 1, odd, even, carried, output);
    }
#pragma unroll 1
    for (; tile + 1 < tiles; tile += 2) {
        do_step<true>(call, position, walk, tile, even, odd, carried, output);
        do_step<true>(call, position, walk, tile + 1, odd, even, carried, output);
    }
    if (tile < tiles) {
        do_step<true>(call, position, walk, tile, even, odd, carried, output);
        finish_walk(walk, tile, odd, output);
    } else {
        finish_walk(walk, tile - 1, even, output);
    }
}

__device__ __forceinline__ void clear_rows(RowState& rows, Output& output) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
        rows.offset[h] = kNoReference;
        rows.shrink[h] = 1.0f;
        rows.sum[h] = 0.0f;
    }
    rows.moved = false;
#pragma unroll
    for (int i = 0; i < kOutputRegisters; ++i) output[i] = 0.0f;
}
