// Scores of keys at or past a row's limit become -inf: ragged tails and causal masks alike.
__device__ __forceinline__ void mask_scores(Scores& scores, const Call& call,
                                            const TilePosition& position, i32 first_key) {
    const i32 lane_key = first_key + 2 * static_cast<i32>(thread_index() % 4);
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
            const i32 limit = row_limit(call, query_of(position, m, h)) - lane_key;
#pragma unroll
            for (int n = 0; n < kKeyTiles; ++n) {
#pragma unroll
                for (int e = 0; e < 2; ++e) {
                    if (8 * n + e >= limit) {
                        scores[m][n][2 * h + e] = static_cast<i32>(kInfinityBits | 0x80000000u);
                    }
                }
            }
        }
    }
}
