// One scale of Q per lane and one of K per lane and tile (tensor, block, warp, thread): the scores
// stay integers and the softmax multiplies them by one factor.
struct QueryScales {
    f32 lane;
};

__device__ __forceinline__ void load_q_scales(const Call& call, const TilePosition& position,
                                              QueryScales& scales) {
    const u32 lane = thread_index() % kWarpLanes;
    const u32 warp = thread_index() / kWarpLanes;
    const u64 tile = static_cast<u64>(position.q_row) * call.q_tiles + position.q_tile;
    scales.lane = call.q_scale[tile * plan::q_scales_per_tile + warp * 8 + lane / 4];
}

__device__ __forceinline__ void dequantize(Scores& result, const IntegerScores& scores,
                                           RowValues& factors, const QueryScales& scales,
                                           u32 meta) {
    const f32 factor =
        max_f32(scales.lane * load_shared_f32(meta + 4 * (thread_index() % 4)), kSmallestFactor);
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
        factors[m][0] = factor;
        factors[m][1] = factor;
#pragma unroll
        for (int n = 0; n < kKeyTiles; ++n) {
#pragma unroll
            for (int i = 0; i < 4; ++i) result[m][n][i] = unbias(scores[m][n][i]);
        }
    }
}
