// Adds to one element of an fp16 output.
__device__ __forceinline__ void add_to_output(Output& output, int m, int n, int i, f32 value) {
    const f32 low = output_value(output, m, n, i / 2 * 2) + (i % 2 == 0 ? value : 0.0f);
    const f32 high = output_value(output, m, n, i / 2 * 2 + 1) + (i % 2 == 1 ? value : 0.0f);
    output.value[m][n][i / 2] = f32_to_f16x2(low, high);
}
