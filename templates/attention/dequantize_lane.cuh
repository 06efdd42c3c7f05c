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

__device__ __forceinline__ void dequantize(Scores&, RowState& rows, const QueryScales& scales,
                                           u32 meta) {
    const f32 factor =
        max_f32(scales.lane * load_shared_f32(meta + 4 * (thread_index() % 4)), kSmallestFactor);
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
        rows.factor[m][0] = factor;
        rows.factor[m][1] = factor;
    }
}

// The largest of a lane's scores in one row, in units of the factor. The bits of biased scores are
// ordered as integers are, and -inf below them all.
__device__ __forceinline__ f32 largest_score(const Scores& scores, int m, int h) {
    i32 top = scores[m][0][2 * h];
#pragma unroll
    for (int n = 0; n < kKeyTiles; ++n) {
        top = max3_s32(top, scores[m][n][2 * h], scores[m][n][2 * h + 1]);
    }
    return bits_to_f32(static_cast<u32>(top)) - kScoreBias;
}
