// All rows see the same keys. Each head has tall tiles, of tile_q queries, then low ones, so many
// of either as deal out best. Those of a chunk's heads are taken tall ones first, head after head,
// so that the last ones are low and keys are read while the L2 cache has them.
__device__ __forceinline__ TilePosition locate_tile(const Call& call, u32 tile) {
    const PlaceInChunk place = place_in_chunk(call, tile);
    const u32 tall = place.heads * call.tall_tiles;
    if (place.index < tall) {
        const u32 head = divide(place.index, call.by_tall_tiles);
        const u32 row = place.index - head * call.tall_tiles;
        return {static_cast<i32>(place.first_head + head), static_cast<i32>(row * plan::tile_q)};
    }
    const u32 index = place.index - tall;
    const u32 head = divide(index, call.by_low_tiles);
    const u32 row = index - head * (call.q_tiles - call.tall_tiles);
    return {static_cast<i32>(place.first_head + head),
            static_cast<i32>(call.tall_tiles * plan::tile_q + row * call.low_rows)};
}

// Rows of the tile that begins with a query, some of them perhaps past the last one.
__device__ __forceinline__ i32 rows_of(const Call& call, i32 first_query) {
    return first_query < call.tall_tiles * plan::tile_q ? plan::tile_q : call.low_rows;
}

__device__ __forceinline__ i32 tiles_of(const Call& call, const TilePosition&) {
    return call.k_tiles;
}
