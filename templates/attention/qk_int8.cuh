// S = Q K^T in int8: keys are the B operand, two n8 tiles per ldmatrix.

// Where in a stage this lane's addresses of key fragments start.
__device__ __forceinline__ u32 lane_key_offset() {
    const u32 lane = thread_index_anew() % kWarpLanes;
    return plan::k_offset + k_chunk_offset(lane % 8 + lane / 16 * 8, lane / 8 % 2);
}

// Scores of n8 tiles first .. first + count - 1.
template <int count>
__device__ __forceinline__ void multiply_qk(Scores& scores, const Query& query, u32 lane_keys,
                                            int first) {
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int n = first; n < first + count; ++n) {
#pragma unroll
            for (int i = 0; i < 4; ++i) scores[m][n][i] = static_cast<i32>(kScoreBiasBits);
        }
    }
#pragma unroll
    for (int step = 0; step < kHeadSteps; ++step) {
        u32 queries[plan::m_tiles][4];
#pragma unroll
        for (int m = 0; m < plan::m_tiles; ++m) query_fragment(queries[m], query, m, step);
#pragma unroll
        for (int n = first; n < first + count; n += 2) {
            u32 keys[4];
            ldmatrix_x4(keys, chunks_further<plan::k_swizzle_chunks>(lane_keys, 2 * step) +
                                  8 * n * plan::k_row_bytes);
#pragma unroll
            for (int m = 0; m < plan::m_tiles; ++m) {
                mma_s8(scores[m][n], queries[m], keys[0], keys[1]);
                mma_s8(scores[m][n + 1], queries[m], keys[2], keys[3]);
            }
        }
    }
}
