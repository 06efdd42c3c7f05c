// O += P V in fp16 with fp16 accumulators over the whole row: twice the rate on GeForce parts.
// |sum over keys of p * v| must stay below 65504.
struct Output {
    u32 value[plan::m_tiles][kValueTiles][2];  // channel pairs of rows g and g + 8
};
constexpr f32 kProbabilityShift = 0.0f;

__device__ __forceinline__ void clear_output(Output& output) {
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int n = 0; n < kValueTiles; ++n) {
            output.value[m][n][0] = 0;
            output.value[m][n][1] = 0;
        }
    }
}

__device__ __forceinline__ void scale_output(Output& output, int m, int h, f32 factor) {
    const u32 pair = f32_to_f16x2(factor, factor);
#pragma unroll
    for (int n = 0; n < kValueTiles; ++n) {
        output.value[m][n][h] = multiply_f16x2(output.value[m][n][h], pair);
    }
}

__device__ __forceinline__ f32 output_value(const Output& output, int m, int n, int i) {
    return f16_to_f32(static_cast<u16>(output.value[m][n][i / 2] >> (i % 2 * 16)));
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
                mma_f16_f16(output.value[m][n], a[step][m], values[0], values[1]);
                mma_f16_f16(output.value[m][n + 1], a[step][m], values[2], values[3]);
            }
        }
    }
}
