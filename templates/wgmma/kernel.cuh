// Attention: a CTA computes one tile of tile_q queries of one head after the other, 64 a warpgroup,
// as many CTAs as run at once. Keys and values of its next tile are on their way while it finishes
// one.

__device__ __forceinline__ u32 divide(u32 number, const Divisor& by) {
    const u64 product = static_cast<u64>(number) * by.multiplier;
    return (number + static_cast<u32>(product >> 32)) >> by.shift;
}

// Clusters of a head: its last one may have tiles without queries.
__device__ __forceinline__ i32 clusters_of(const Call& call) {
    return divide_up(call.q_tiles, plan::cluster_q);
}

// Tiles of one head fastest; or heads of one chunk fastest, longest rows first, so that the last
// tiles are the short ones and the heads at work at a time fit the L2 cache.
__device__ __forceinline__ TilePosition locate_tile(const Call& call, u32 tile) {
    TilePosition position;
    const u32 heads = static_cast<u32>(call.batch) * call.heads_q;
    const u32 cluster = tile / plan::cluster_q;
    const u32 first_head = divide(cluster, call.by_chunk) * call.head_chunk;
    const u32 left = heads - first_head;
    const u32 index = cluster - first_head * clusters_of(call);
    u32 chunk_heads = call.head_chunk;
    u32 row = divide(index, call.by_head_chunk);
    if (left < chunk_heads) {
        chunk_heads = left;
        row = index / left;
    }
    position.q_row = static_cast<i32>(first_head + index - row * chunk_heads);
    position.q_tile = plan::cluster_q * tile_in_order(static_cast<i32>(row), clusters_of(call)) +
                      static_cast<i32>(tile % plan::cluster_q);
    position.batch = static_cast<i32>(divide(position.q_row, call.by_heads_q));
    position.head_q = position.q_row - position.batch * call.heads_q;
    position.kv_row = static_cast<i32>(divide(position.q_row, call.by_group_size));
    position.head_kv = position.kv_row - position.batch * call.heads_kv;
    position.first_query = position.q_tile * plan::tile_q;
    return position;
}

// Key tiles that the queries first .. first + count - 1 see.
__device__ __forceinline__ i32 tiles_of(const Call& call, i32 first, i32 count) {
    if (first >= call.len_q) return 0;
    const i32 last = first + count < call.len_q ? first + count - 1 : call.len_q - 1;
    return divide_up(row_limit(call, last), plan::tile_k);
}

// Those of a whole cluster, whose CTAs take the same ones.
__device__ __forceinline__ i32 tiles_of(const Call& call, const TilePosition& position) {
    const i32 first = position.q_tile / plan::cluster_q * plan::cluster_q;
    return tiles_of(call, first * plan::tile_q, plan::cluster_q * plan::tile_q);
}

__device__ __forceinline__ u32 query_tiles(const Call& call) {
    return static_cast<u32>(call.batch) * call.heads_q * clusters_of(call) * plan::cluster_q;
}

__device__ __forceinline__ void prepare_barriers(const Call& call, u32 shared) {
    if (thread_index() != 0) return;
    for (Stage stage{shared, 0}; stage.phase == 0; advance(stage, shared)) {
        mbarrier_init(barrier_of(stage, Signal::kArrived), 1);
        mbarrier_init(barrier_of(stage, Signal::kRead), plan::cluster_q * plan::warps);
    }
    mbarrier_init_fence();
    if (call.v_packed == 0 && call.len_k > 0) prefetch_tensor_map(&call.v_map);
}

// The copying warp.
__device__ __forceinline__ void copy_all(const Call& call, u32 shared) {
    grid_dependency_wait();
    if (lane_index() != 0) return;
    Stage stage{shared, 0};
#pragma unroll 1
    for (u32 tile = cta_index(); tile < query_tiles(call); tile += cta_count()) {
        const TilePosition position = locate_tile(call, tile);
        copy_tiles(call, position, shared, tiles_of(call, position), stage);
    }
}

// The first rows of the CTA's next query tile, on their way while this one is finished. Its
// position; that of this tile where there is no other.
__device__ __forceinline__ TilePosition fetch_next(const Call& call, const TilePosition& position,
                                                   u32 next_tile, QueryRows& rows) {
    rows = {};  // the old ones have been used
    if (next_tile >= query_tiles(call)) return position;
    const TilePosition next = locate_tile(call, next_tile);
    fetch_queries(call, next, rows);
    return next;
}

// One query tile, as far as this warp's group has to do with it. Returns the position of the next.
__device__ __forceinline__ TilePosition compute_tile(const Call& call, const TilePosition& position,
                                                     u32 next_tile, Walk& walk,
                                                     QueryRows& fetched) {
    const i32 group_query = position.first_query + static_cast<i32>(group_index() * kGroupRows);
    const i32 tiles = tiles_of(call, group_query, kGroupRows);
    const i32 all_tiles = tiles_of(call, position);
    // Not worked out again in every step.
    walk.unmasked = static_cast<i32>(
        warp_uniform(static_cast<u32>(row_limit(call, group_query) / plan::tile_k)));
    Output output;
    Carried carried;
    carried.first_bad_key = kNoBadKey;
    carried.arrived = false;
    clear_rows(carried.rows, output);
    if (tiles > 0) walk_keys(call, position, walk, tiles, carried, output);
    const TilePosition next = fetch_next(call, position, next_tile, fetched);
    skip_steps(walk.shared, walk.stage, steps_of(all_tiles) - steps_of(tiles));
    finish_output(call, position, carried.rows, output);
    const bool repair =
        write_output(call, position, walk, carried.rows, output, carried.first_bad_key);
    if (vote_any(repair)) repair_output(call, position, walk.shared);
    return next;
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
        if (warp_index() == plan::warps) copy_all(call, shared);
        return;
    }
    set_max_registers_up<kComputeRegisters>();
    Walk walk;
    walk.shared = shared;
    walk.stage = {shared, 0};
    walk.query = descriptor_low(kInt8Leading, query_address(shared, group_index() * kGroupRows, 0));
    bool waited = false;
    QueryRows rows;
    TilePosition position = locate_tile(call, cta_index());
    fetch_queries(call, position, rows);
#pragma unroll 1
    for (u32 tile = cta_index(); tile < query_tiles(call); tile += cta_count()) {
        walk.query_factor = quantize_queries(call, position, shared, rows);
        if (!waited) grid_dependency_wait();
        waited = true;
        position = compute_tile(call, position, tile + cta_count(), walk, rows);
    }
    leave_together();
}
