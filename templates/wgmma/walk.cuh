// The walk of a warpgroup over the key tiles: its first step, all others, and the last product.

// The first step: there is no P V yet.
__device__ __forceinline__ void do_first_step(const Call& call, const TilePosition& position,
                                              Walk& walk, Probabilities& p, Carried& carried) {
    clear_scores(carried.scores);
    wait_for_arrival(walk.stage);
    const f32 factor = tile_factor(walk, carried.first_bad_key);
    warpgroup_fence();
    start_qk(carried.scores, walk.query, keys_of(walk.stage));
    warpgroup_wait<0>();
    leave_stage(walk);
    if (walk.unmasked == 0) mask_scores(carried.scores, call, position, 0);
    take_first_reference(walk, carried, factor);
    carried.arrived = has_arrived(walk.stage);
    make_probabilities(p, carried, factor, 0);
}

// All steps of a group whose rows see `tiles` > 0 key tiles. Most have no key to mask, and are
// spelled without a mask. `meanwhile` runs during the last product.
template <typename Meanwhile>
__device__ __forceinline__ void walk_keys(const Call& call, const TilePosition& position,
                                          Walk& walk, i32 tiles, Carried& carried, Output& output,
                                          const Meanwhile& meanwhile) {
    Probabilities p;
    do_first_step(call, position, walk, p, carried);
    i32 tile = 1;
#pragma unroll 1
    do {
        const i32 stop = stretch_end(tile, tiles);
        const i32 unmasked = walk.unmasked < stop ? walk.unmasked : stop;
        if (carried.bold) walk_boldly(walk, tile, unmasked, p, carried, output);
#pragma unroll 1
        for (; tile < unmasked; ++tile) {
            do_step<false>(call, position, walk, tile, p, carried, output);
        }
#pragma unroll 1
        for (; tile < stop; ++tile) {
            do_step<true>(call, position, walk, tile, p, carried, output);
        }
        end_stretch(walk, tile, tiles, carried.rows, output);
    } while (tile < tiles);
    wait_for_arrival(walk.stage);
    warpgroup_fence();
    start_pv(output, p, values_of(walk.stage));
    meanwhile();
    warpgroup_wait<0>();
    leave_stage(walk);
    collect_sums(output, carried.rows);
    join_master(walk, tiles, carried.rows, output);
}

__device__ __forceinline__ void clear_rows(RowState& rows, Output& output) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
        rows.offset[h] = kNoReference;
        rows.shrink[h] = 1.0f;
        rows.sum[h] = 0.0f;
    }
    rows.moved = false;
    rows.gain = 1.0f;
#pragma unroll
    for (int i = 0; i < kOutputRegisters; ++i) output[i] = 0.0f;
}
