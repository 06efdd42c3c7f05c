// A CTA's quantized query rows in shared memory, read again for every key tile: head dims whose
// fragments would leave the accumulators no registers.
struct Query {
    u32 lane;  // shared address where this lane's fragments start
};

__device__ __forceinline__ void load_query(const Call& call, const TilePosition& position,
                                           Query& query, u32 query_tile) {
    constexpr int kChunks = plan::k_row_bytes / 16;
    constexpr int kCopies = plan::tile_q * kChunks;
    const u64 first_row =
        (static_cast<u64>(position.q_row) * call.q_tiles + position.q_tile) * plan::tile_q;
    const i8* source = call.q_int8 + first_row * plan::head_dim_padded;
#pragma unroll 4
    for (u32 index = thread_index(); index < kCopies; index += plan::threads) {
        cp_async_16(query_tile + k_chunk_offset(index / kChunks, index % kChunks),
                    source + index * 16, 16);
    }
    cp_async_commit();
    const u32 lane = thread_index() % kWarpLanes;
    const u32 row = thread_index() / kWarpLanes * plan::warp_q + lane % 16;
    query.lane = query_tile + k_chunk_offset(row, lane / 16);
}

__device__ __forceinline__ void query_fragment(u32 (&a)[4], const Query& query, int m, int step) {
    ldmatrix_x4(a, chunks_further<plan::k_swizzle_chunks>(query.lane, 2 * step) +
                       16 * m * plan::k_row_bytes);
}
