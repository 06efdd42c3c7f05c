// O += P V in fp16 with fp32 accumulators in the tensor core.
struct Output {
    f32 value[plan::m_tiles][kValueTiles][4];
};
constexpr f32 kProbabilityShift = 0.0f;  // p <= 2^rescale_threshold

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

// Steps of 16 keys, from the given one on.
template <int kSteps>
__device__ __forceinline__ void multiply_pv(Output& output,
                                            const u32 (&a)[kSteps][plan::m_tiles][4],
                                            u32 lane_values, int first) {
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
#pragma unroll
        for (int n = 0; n < kValueTiles; n += 2) {
            u32 values[4];
            load_value_pair(values, lane_values, first + step, n);
#pragma unroll
            for (int m = 0; m < plan::m_tiles; ++m) {
                mma_f16_f32(output.value[m][n], a[step][m], values[0], values[1]);
                mma_f16_f32(output.value[m][n + 1], a[step][m], values[2], values[3]);
            }
        }
    }
}
