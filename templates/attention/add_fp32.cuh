// Adds to one element of an fp32 output.
__device__ __forceinline__ void add_to_output(Output& output, int m, int n, int i, f32 value) {
    output.value[m][n][i] += value;
}
