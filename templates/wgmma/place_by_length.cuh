// Rows of tiles of a chunk's heads in turn, longest first, so that the last tiles are the short
// ones and the heads at work at a time fit the L2 cache. Low tiles come first in a head, where rows
// are short; clusters have none.

// Queries of a head in its low tiles.
__device__ __forceinline__ i32 low_queries(const Call& call) {
    return (call.q_tiles - call.tall_tiles) * call.low_rows;
}

__device__ __forceinline__ i32 first_query_of(const Call& call, i32 q_tile) {
    if (plan::cluster_q > 1) return q_tile * plan::tile_q;
    const i32 tall = q_tile - (call.q_tiles - call.tall_tiles);
    return tall < 0 ? q_tile * call.low_rows : low_queries(call) + tall * plan::tile_q;
}

__device__ __forceinline__ TilePosition locate_tile(const Call& call, u32 tile) {
    const PlaceInChunk place = place_in_chunk(call, tile / plan::cluster_q);
    const u32 row = place.heads == static_cast<u32>(call.head_chunk)
                        ? divide(place.index, call.by_head_chunk)
                        : place.index / place.heads;
    const i32 q_tile = plan::cluster_q * tile_in_order(static_cast<i32>(row), clusters_of(call)) +
                       static_cast<i32>(tile % plan::cluster_q);
    return {static_cast<i32>(place.first_head + place.index - row * place.heads),
            first_query_of(call, q_tile)};
}

// Rows of the tile that begins with a query, some of them perhaps past the last one.
__device__ __forceinline__ i32 rows_of(const Call& call, i32 first_query) {
    return plan::cluster_q > 1 || first_query >= low_queries(call) ? plan::tile_q : call.low_rows;
}

// Key tiles of a whole cluster, whose CTAs take the same ones.
__device__ __forceinline__ i32 tiles_of(const Call& call, const TilePosition& position) {
    constexpr i32 kRows = plan::cluster_q * plan::tile_q;
    const bool alone = plan::cluster_q == 1;
    const i32 first = alone ? position.first_query : position.first_query / kRows * kRows;
    const i32 end = first + (alone ? rows_of(call, first) : kRows);
    return tiles_of(call, first, end < call.len_q ? end : call.len_q);
}
