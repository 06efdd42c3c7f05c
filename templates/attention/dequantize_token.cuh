// One scale per row of Q and per row of K: the key's scale multiplies each score here, the
// query's is the factor of the softmax.
struct QueryScales {
    RowValues row;
};

__device__ __forceinline__ void load_q_scales(const Call& call, const TilePosition& position,
                                              QueryScales& scales) {
    const u32 lane = thread_index() % kWarpLanes;
    const u32 warp = thread_index() / kWarpLanes;
    const u64 tile = static_cast<u64>(position.q_row) * call.q_tiles + position.q_tile;
    const f32* source =
        call.q_scale + tile * plan::q_scales_per_tile + warp * plan::warp_q + lane / 4;
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
        scales.row[m][0] = max_f32(source[16 * m], kSmallestFactor);
        scales.row[m][1] = max_f32(source[16 * m + 8], kSmallestFactor);
    }
}

__device__ __forceinline__ void dequantize(Scores& scores, RowState& rows,
                                           const QueryScales& queries, u32 meta) {
#pragma unroll
    for (int n = 0; n < kKeyTiles; ++n) {
        f32 key_scales[2];
        load_shared_f32x2(key_scales, meta + 4 * (8 * n + 2 * (thread_index() % 4)));
#pragma unroll
        for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const f32 sum = bits_to_f32(static_cast<u32>(scores[m][n][i])) - kScoreBias;
                scores[m][n][i] = static_cast<i32>(f32_to_bits(sum * key_scales[i % 2]));
            }
        }
    }
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
        rows.factor[m][0] = queries.row[m][0];
        rows.factor[m][1] = queries.row[m][1];
    }
}

// The largest of a lane's scores in one row, in units of the factor.
__device__ __forceinline__ f32 largest_score(const Scores& scores, int m, int h) {
    f32 top = score_value(scores[m][0][2 * h]);
#pragma unroll
    for (int n = 0; n < kKeyTiles; ++n) {
        top = max_f32(
            top, max_f32(score_value(scores[m][n][2 * h]), score_value(scores[m][n][2 * h + 1])));
    }
    return top;
}
