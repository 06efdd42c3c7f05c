// O += P V in int8 (SageAttention arXiv 2410.02367, "-vT" and "-vB"): P is rounded to 0..255
// against the row's reference maximum, V is int8 per channel, sums are exact inside one key tile
// and added to fp32 after it. The normaliser is the sum of the rounded P.
struct Output {
    f32 value[plan::m_tiles][kValueTiles][4];
};
constexpr f32 kProbabilityShift = 7.99435344f;  // log2(255): p <= 255
constexpr f32 kRoundingBias = 12582912.0f;      // 1.5 * 2^23: the low byte of p + bias is round(p)

__device__ __forceinline__ void clear_output(Output& output) {
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int n = 0; n < kValueTiles; ++n) {
#pragma unroll
            for (int i = 0; i < 4; ++i) output.value[m][n][i] = 0.0f;
        }
    }
}

__device__ __forceinline__ void scale_output(Output& output, int m, int h, f32 factor) {
#pragma unroll
    for (int n = 0; n < kValueTiles; ++n) {
        output.value[m][n][2 * h] *= factor;
        output.value[m][n][2 * h + 1] *= factor;
    }
}

__device__ __forceinline__ f32 output_value(const Output& output, int m, int n, int i) {
    return output.value[m][n][i];
}

__device__ __forceinline__ f32 row_normaliser(const RowState& rows, int m, int h) {
    return rows.weight[m][h];
}

// The A operand of one k32 step: register i holds row g + 8 (i % 2), tokens of n8 tiles
// 2 (i / 2) of the step and the next one, in the order V's tokens were permuted to.
constexpr int kProbabilityKeys = 32;
__device__ __forceinline__ void pack_probabilities(u32 (&a)[plan::m_tiles][4], RowState& rows,
                                                   const f32 (&p)[plan::m_tiles][4][4]) {
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int h = i % 2;
            const int n = 2 * (i / 2);
            f32 rounded[4];
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                // Where logits are so large that fp32 rounds them coarsely p may pass 255.
                rounded[e] = min_f32(add_rn(p[m][n + e / 2][2 * h + e % 2], kRoundingBias),
                                     kRoundingBias + 255.0f);
            }
            const f32 low = add_rn(rounded[0], -kRoundingBias) + add_rn(rounded[1], -kRoundingBias);
            const f32 high =
                add_rn(rounded[2], -kRoundingBias) + add_rn(rounded[3], -kRoundingBias);
            rows.weight[m][h] += low + high;
            const u32 first =
                permute_bytes(f32_to_bits(rounded[0]), f32_to_bits(rounded[1]), 0x0040);
            const u32 second =
                permute_bytes(f32_to_bits(rounded[2]), f32_to_bits(rounded[3]), 0x0040);
            a[m][i] = permute_bytes(first, second, 0x5410);
        }
    }
}

// Where in a stage this lane's addresses of value fragments start.
__device__ __forceinline__ u32 lane_value_offset() {
    const u32 lane = thread_index_anew() % kWarpLanes;
    return plan::v_offset + v_chunk_offset(lane % 8 + lane / 16 * 8, lane / 8 % 2);
}

// All steps of a tile.
template <int kSteps>
__device__ __forceinline__ void multiply_pv(Output& output,
                                            const u32 (&a)[kSteps][plan::m_tiles][4],
                                            u32 lane_values, int) {
#pragma unroll
    for (int n = 0; n < kValueTiles; n += 2) {
        i32 partial[plan::m_tiles][2][4] = {};
#pragma unroll
        for (int step = 0; step < kSteps; ++step) {
            u32 values[4];
            ldmatrix_x4(values, chunks_further<plan::v_swizzle_chunks>(lane_values, 2 * step) +
                                    8 * n * plan::v_row_bytes);
#pragma unroll
            for (int m = 0; m < plan::m_tiles; ++m) {
                mma_u8s8(partial[m][0], a[step][m], values[0], values[1]);
                mma_u8s8(partial[m][1], a[step][m], values[2], values[3]);
            }
        }
#pragma unroll
        for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                output.value[m][n + i / 4][i % 4] += static_cast<f32>(partial[m][i / 4][i % 4]);
            }
        }
    }
}
