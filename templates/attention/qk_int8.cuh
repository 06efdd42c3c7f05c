// S = Q K^T in int8: keys are the B operand, two n8 tiles per ldmatrix.
__device__ __forceinline__ void multiply_qk(IntegerScores& scores, const Query& query, u32 stage) {
    const u32 lane = thread_index() % kWarpLanes;
    const u32 row = lane % 8 + lane / 16 * 8;
    const u32 half = lane / 8 % 2;
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int n = 0; n < kKeyTiles; ++n) {
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
        for (int n = 0; n < kKeyTiles; n += 2) {
            u32 keys[4];
            ldmatrix_x4(keys,
                        stage + plan::k_offset + k_chunk_offset(8 * n + row, 2 * step + half));
#pragma unroll
            for (int m = 0; m < plan::m_tiles; ++m) {
                mma_s8(scores[m][n], queries[m], keys[0], keys[1]);
                mma_s8(scores[m][n + 1], queries[m], keys[2], keys[3]);
            }
        }
    }
}
