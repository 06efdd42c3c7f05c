// Scores of keys at or past a row's limit become -inf: ragged tails and causal masks alike.
__device__ __forceinline__ void mask_scores(Scores& scores, i32 first_key,
                                            const i32 (&limits)[plan::m_tiles][2]) {
    const i32 lane_key = first_key + 2 * static_cast<i32>(thread_index() % 4);
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int n = 0; n < kKeyTiles; ++n) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const i32 key = lane_key + 8 * n + i % 2;
                if (key >= limits[m][i / 2]) scores[m][n][i] = -bits_to_f32(kInfinityBits);
            }
        }
    }
}
