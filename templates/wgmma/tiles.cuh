// Query tiles: where each is, and which keys it sees.

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
