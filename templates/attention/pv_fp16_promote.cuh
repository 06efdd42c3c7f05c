// O += P V in fp16: fp16 accumulators inside one key tile, added to fp32 after it.
// tile_k * max|v| must stay below 65504.
struct Output {
    f32 value[plan::m_tiles][kValueTiles][4];
};
constexpr f32 kProbabilityShift = 0.0f;

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
    return rows.sum[m][h];
}

// All steps of a tile.
template <int kSteps>
__device__ __forceinline__ void multiply_pv(Output& output,
                                            const u32 (&a)[kSteps][plan::m_tiles][4],
                                            u32 lane_values, int) {
#pragma unroll
    for (int n = 0; n < kValueTiles; n += 2) {
        u32 partial[plan::m_tiles][2][2] = {};
#pragma unroll
        for (int step = 0; step < kSteps; ++step) {
            u32 values[4];
            load_value_pair(values, lane_values, step, n);
#pragma unroll
            for (int m = 0; m < plan::m_tiles; ++m) {
                mma_f16_f16(partial[m][0], a[step][m], values[0], values[1]);
                mma_f16_f16(partial[m][1], a[step][m], values[2], values[3]);
            }
        }
#pragma unroll
        for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                const u32 pair = partial[m][i / 4][i % 4 / 2];
                output.value[m][n + i / 4][i % 4] +=
                    f16_to_f32(static_cast<u16>(pair >> (i % 2 * 16)));
            }
        }
    }
}
