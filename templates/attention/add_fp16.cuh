// Adds to two neighbours in a row of an fp16 output.
__device__ __forceinline__ void add_to_output(Output& output, int m, int n, int h,
                                              const f32 (&values)[2]) {
    output.value[m][n][h] = f32_to_f16x2(output_value(output, m, n, 2 * h) + values[0],
                                         output_value(output, m, n, 2 * h + 1) + values[1]);
}
