// Query tiles: which queries and keys are theirs.

// Past the last query of a tile. Rows of its groups from there on are another tile's, or none.
// Asked again wherever it is wanted.
__device__ __forceinline__ i32 end_of(const Call& call, const TilePosition& position) {
    const i32 end = position.first_query + rows_of(call, position.first_query);
    return end < call.len_q ? end : call.len_q;
}

// Key tiles that a group sees, from its first query on.
__device__ __forceinline__ i32 tiles_of_group(const Call& call, const TilePosition& position,
                                              i32 group_query) {
    const i32 end = group_query + static_cast<i32>(kGroupRows), all = end_of(call, position);
    return tiles_of(call, group_query, end < all ? end : all);
}

__device__ __forceinline__ u32 query_tiles(const Call& call) {
    return static_cast<u32>(call.batch) * call.heads_q * clusters_of(call) * plan::cluster_q;
}
