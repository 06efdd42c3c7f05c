// Online softmax in base 2. Rows are compared with a reference maximum; only when one outgrew it
// by more than the threshold does the warp take the branch that moves it and rescales. So the
// common step has no shuffle and no rescale.

// Moves every row's reference up to its maximum so far.
__device__ __forceinline__ void move_reference(RowState& rows, const RowValues& lane_top,
                                               Output& output) {
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
            f32 top = max_f32(lane_top[m][h], shuffle_xor_f32(lane_top[m][h], 1));
            top = max_f32(top, shuffle_xor_f32(top, 2));
            const f32 offset = min_f32(rows.offset[m][h], -top);
            const f32 shrink = exp2_approx(offset - rows.offset[m][h]);
            rows.offset[m][h] = offset;
            rows.sum[m][h] *= shrink;
            rows.weight[m][h] *= shrink;
            scale_output(output, m, h, shrink);
        }
    }
}

// Makes sure that no score held exceeds its row's reference by more than the threshold.
__device__ __forceinline__ void update_reference(const Scores& scores, RowState& rows,
                                                 Output& output) {
    RowValues lane_top;
    bool outgrown = false;
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
            lane_top[m][h] = largest_score(scores, m, h) * rows.factor[m][h];
            outgrown |= lane_top[m][h] + rows.offset[m][h] > plan::rescale_threshold;
        }
    }
    if (vote_any(outgrown)) move_reference(rows, lane_top, output);
}

// What a tile's scores take beside their factor, to become logarithms of probabilities.
__device__ __forceinline__ void probability_offsets(RowValues& offsets, const RowState& rows) {
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
            offsets[m][h] = kProbabilityShift + rows.offset[m][h] - kFoldedBias * rows.factor[m][h];
        }
    }
}

// Probabilities of as many keys as one A operand of P V holds, packed.
__device__ __forceinline__ void exponentiate(u32 (&a)[plan::m_tiles][4], const Scores& scores,
                                             const RowValues& offsets, RowState& rows, int step) {
    constexpr int kTiles = kProbabilityKeys / 8;
    f32 p[plan::m_tiles][kTiles][4];
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
#pragma unroll
            for (int n = 0; n < kTiles; ++n) {
#pragma unroll
                for (int i = 2 * h; i < 2 * h + 2; ++i) {
                    p[m][n][i] = exp2_approx(fma_rn(score_value(scores[m][step * kTiles + n][i]),
                                                    rows.factor[m][h], offsets[m][h]));
                }
                rows.sum[m][h] += p[m][n][2 * h] + p[m][n][2 * h + 1];
            }
        }
    }
    pack_probabilities(a, rows, p);
}
