// Attention: a CTA computes one tile of tile_q queries of a head after the other, 64 a warpgroup,
// as many CTAs as run at once. Keys and values of its next tile are on their way while it finishes
// one.

__device__ __forceinline__ void prepare_barriers(const Call& call, u32 shared) {
    if (thread_index() != 0) return;
    for (Stage stage{shared, 0}; stage.phase == 0; advance(stage, shared)) {
        mbarrier_init(barrier_of(stage, Signal::kArrived), 1);
        mbarrier_init(barrier_of(stage, Signal::kRead), plan::cluster_q * plan::warps);
    }
    prepare_order(shared);
    prepare_blocks(shared);
    mbarrier_init_fence();
    if (call.v_packed == 0 && call.len_k > 0) prefetch_tensor_map(&call.v_map);
}

// The copying warp.
__device__ __forceinline__ void copy_all(const Call& call, u32 shared) {
    grid_dependency_wait();
    if (!elect_lane()) return;
    Stage stage{shared, 0};
    TileOrder order{};
    u32 tile = cta_index();
#pragma unroll 1
    while (tile < query_tiles(call)) {
        const TilePosition position = locate_tile(call, tile);
        const Heads heads = heads_of(call, position.q_row);
        copy_tiles(call, heads, shared, tiles_of(call, position), stage);
        tile = draw_tile(call, tile, order, shared);
    }
}

// The position of the CTA's next query tile; that of this one where there is no other. Its first
// rows are on their way while this one is finished, unless helpers read them.
__device__ __forceinline__ TilePosition fetch_next(const Call& call, const TilePosition& position,
                                                   u32 next_tile, QueryRows& rows) {
    rows = {};  // the old ones have been used
    if (next_tile >= query_tiles(call)) return position;
    const TilePosition next = locate_tile(call, next_tile);
    if (!kQueriesAhead) fetch_queries(call, next, rows);
    return next;
}

// Lower word of the descriptor of the group's queries.
__device__ __forceinline__ u32 query_descriptor(u32 block) {
    return descriptor_low(kInt8Leading, query_address(block, group_index() * kGroupRows, 0));
}

// Queries of a tile, of which `rows` may have the first: by the group itself unless helpers have
// quantized them.
__device__ __forceinline__ void take_queries(const Call& call, const TilePosition& position,
                                             Walk& walk, QueryRows& rows) {
    walk.block = block_of(walk.shared, walk.turn);
    if (!has_queries(walk.block, walk.turn)) {
        if (kQueriesAhead) fetch_queries(call, position, rows);
        quantize_queries(call, position, walk.block, rows);
    }
    if (kQueriesAhead) walk.query = query_descriptor(walk.block);
    walk.query_factor = query_factor(call, walk.block);
}

// One query tile, as far as this warp's group has to do with it; on to the next one.
__device__ __forceinline__ void compute_tile(const Call& call, u32& tile, TilePosition& position,
                                             TileOrder& order, Walk& walk, QueryRows& fetched) {
    const i32 group_query = position.first_query + static_cast<i32>(group_index() * kGroupRows);
    const i32 tiles = tiles_of_group(call, position, group_query);
    const i32 all_tiles = tiles_of(call, position);
    // Not worked out again in every step.
    walk.unmasked = static_cast<i32>(
        warp_uniform(static_cast<u32>(row_limit(call, group_query) / plan::tile_k)));
    Output output;
    Carried carried;
    carried.first_bad_key = kNoBadKey;
    carried.arrived = false;
    clear_rows(carried.rows, output);
    const i32 skipped = steps_of(all_tiles) - steps_of(tiles);
    if (tiles > 0) {
        walk_keys(call, position, walk, tiles, carried, output, [&] {
            if (skipped == 0) tile = next_tile(call, tile, order, walk.shared);
        });
    }
    if (tiles == 0 || skipped > 0) {
        skip_steps(walk.shared, walk.stage, skipped);
        tile = next_tile(call, tile, order, walk.shared);
    }
    const TilePosition next = fetch_next(call, position, tile, fetched);
    if (kHelp) wait_for_block(walk.block, walk.turn);
    finish_output(call, position, carried.rows, walk.block, output);
    // From here on a warp's queries are its own: no product reads them.
    named_barrier_sync(kComputeBarrier + 1 + group_index(), kGroupThreads);
    const bool repair =
        write_output(call, position, walk, carried.rows, output, carried.first_bad_key);
    if (vote_any(repair)) repair_output(call, position, walk.block);
    leave_block(walk.block);
    ++walk.turn;
    position = next;
}

extern "C" __global__ void __launch_bounds__(plan::threads, plan::ctas_per_sm)
    attention(const __grid_constant__ Call call) {
    const u32 shared = shared_base_swizzled();
    prepare_barriers(call, shared);
    write_ones(shared);
    fence_async_shared();
    start_together();
    if (warp_index() >= plan::warps) {
        set_max_registers_down<kCopyRegisters>();
        if (warp_index() == plan::warps) {
            copy_all(call, shared);
        } else {
            help(call, shared, warp_index() - plan::warps - 1);
        }
        return;
    }
    set_max_registers_up<kComputeRegisters>();
    Walk walk;
    walk.shared = shared;
    walk.stage = {shared, 0};
    walk.turn = 0;
    walk.query = query_descriptor(shared);
    bool waited = false;
    QueryRows rows;
    TileOrder order{};
    u32 tile = cta_index();
    TilePosition position = locate_tile(call, tile);
    if (!kQueriesAhead) fetch_queries(call, position, rows);
#pragma unroll 1
    while (tile < query_tiles(call)) {
        take_queries(call, position, walk, rows);
        if (!waited) grid_dependency_wait();
        waited = true;
        compute_tile(call, tile, position, order, walk, rows);
    }
    leave_together();
}
