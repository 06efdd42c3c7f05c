// Rows of tiles of a chunk's heads in turn, longest first, so that the last tiles are the short
// ones and the heads at work at a time fit the L2 cache.
__device__ __forceinline__ TilePosition locate_tile(const Call& call, u32 tile) {
    const PlaceInChunk place = place_in_chunk(call, tile / plan::cluster_q);
    const u32 row = place.heads == static_cast<u32>(call.head_chunk)
                        ? divide(place.index, call.by_head_chunk)
                        : place.index / place.heads;
    const i32 q_tile = plan::cluster_q * tile_in_order(static_cast<i32>(row), clusters_of(call)) +
                       static_cast<i32>(tile % plan::cluster_q);
    return {static_cast<i32>(place.first_head + place.index - row * place.heads),
            q_tile * plan::tile_q};
}

// Rows of a tile, some of them perhaps past the last query.
__device__ __forceinline__ i32 rows_of(const Call&, i32) { return plan::tile_q; }

// Key tiles of a whole cluster, whose CTAs take the same ones.
__device__ __forceinline__ i32 tiles_of(const Call& call, const TilePosition& position) {
    constexpr i32 kRows = plan::cluster_q * plan::tile_q;
    const i32 first = position.first_query / kRows * kRows;
    return tiles_of(call, first, first + kRows < call.len_q ? first + kRows : call.len_q);
}
