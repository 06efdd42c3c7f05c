// One turn of the walk: probabilities of the tile whose scores are held, then the scores of the
// next one, which take their registers, and P V. For sums that restart with every tile, and for
// queries in shared memory, which are read once a tile.
__device__ __forceinline__ void turn(Scores& scores, RowState& rows, Output& output,
                                     const Query& query, u32 lane_keys, u32 lane_values,
                                     bool has_scores, bool has_next) {
    constexpr int kSteps = plan::tile_k / kProbabilityKeys;
    u32 a[kSteps][plan::m_tiles][4];
    if (has_scores) {
        RowValues offsets;
        probability_offsets(offsets, rows);
#pragma unroll
        for (int step = 0; step < kSteps; ++step) {
            exponentiate(a[step], scores, offsets, rows, step);
        }
    }
    if (has_next) multiply_qk<kKeyTiles>(scores, query, lane_keys, 0);
    if (has_scores) multiply_pv(output, a, lane_values, 0);
}
