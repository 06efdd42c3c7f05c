// Online softmax in base 2. Rows are compared with a reference maximum; only when one outgrew it
// by more than the threshold does the warp take the branch that moves it and rescales.

// Moves every row's reference up to its maximum so far.
__device__ __forceinline__ void move_reference(RowState& rows, const RowValues& lane_max,
                                               Output& output) {
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
            f32 top = max_f32(lane_max[m][h], shuffle_xor_f32(lane_max[m][h], 1));
            top = max_f32(top, shuffle_xor_f32(top, 2));
            const f32 old_reference = rows.reference[m][h];
            if (top > old_reference) {
                const f32 shrink = exp2_approx(old_reference - top);
                rows.reference[m][h] = top;
                rows.sum[m][h] *= shrink;
                rows.weight[m][h] *= shrink;
                scale_output(output, m, h, shrink);
            }
        }
    }
}

// Replaces scores by probabilities p = 2^(score * factor - reference + kProbabilityShift).
__device__ __forceinline__ void softmax(Scores& scores, const RowValues& factors, RowState& rows,
                                        Output& output) {
    RowValues lane_max;
    bool outgrown = false;
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
            f32 top = scores[m][0][2 * h];
#pragma unroll
            for (int n = 0; n < kKeyTiles; ++n) {
                top = max_f32(top, max_f32(scores[m][n][2 * h], scores[m][n][2 * h + 1]));
            }
            lane_max[m][h] = (top - kDequantizedBias) * factors[m][h];
            outgrown |= lane_max[m][h] > rows.reference[m][h] + plan::rescale_threshold;
        }
    }
    if (vote_any(outgrown)) move_reference(rows, lane_max, output);
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
            // A row that has seen no key yet has reference -inf; any finite one will do.
            const f32 reference =
                rows.reference[m][h] == -bits_to_f32(kInfinityBits) ? 0.0f : rows.reference[m][h];
            const f32 offset = kProbabilityShift - reference - kDequantizedBias * factors[m][h];
            f32 sum = 0.0f;
#pragma unroll
            for (int n = 0; n < kKeyTiles; ++n) {
#pragma unroll
                for (int i = 2 * h; i < 2 * h + 2; ++i) {
                    scores[m][n][i] = exp2_approx(fma_rn(scores[m][n][i], factors[m][h], offset));
                    sum += scores[m][n][i];
                }
            }
            rows.sum[m][h] += sum;
        }
    }
}
