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

__device__ __forceinline__ void dequantize(Scores& result, const IntegerScores& scores,
                                           RowValues& factors, const QueryScales& scales,
                                           u32 meta) {
#pragma unroll
    for (int n = 0; n < kKeyTiles; ++n) {
        f32 key_scales[2];
        load_shared_f32x2(key_scales, meta + 4 * (8 * n + 2 * (thread_index() % 4)));
#pragma unroll
        for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                result[m][n][i] = unbias(scores[m][n][i]) * key_scales[i % 2];
            }
        }
    }
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
        factors[m][0] = scales.row[m][0];
        factors[m][1] = scales.row[m][1];
    }
}
