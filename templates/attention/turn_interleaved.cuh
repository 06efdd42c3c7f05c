// One turn of the walk: probabilities and P V of the tile whose scores are held, and meanwhile the
// scores of the next one, which take their registers. 16 keys at a time, so that the tensor cores
// have work of both products while exponentials are computed.
__device__ __forceinline__ void turn(Scores& scores, RowState& rows, Output& output,
                                     const Query& query, u32 lane_keys, u32 lane_values,
                                     bool has_scores, bool has_next) {
    RowValues offsets;
    if (has_scores) probability_offsets(offsets, rows);
#pragma unroll
    for (int step = 0; step < plan::tile_k / 16; ++step) {
        u32 a[1][plan::m_tiles][4];
        if (has_scores) exponentiate(a[0], scores, offsets, rows, step);
        if (has_next) multiply_qk<2>(scores, query, lane_keys, 2 * step);
        if (has_scores) multiply_pv(output, a, lane_values, step);
    }
}
