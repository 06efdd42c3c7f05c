// Row sums are added up by the lanes that hold the probabilities.
__device__ __forceinline__ void add_to_sum(RowState& rows, int h, f32 low, f32 high) {
    rows.sum[h] += low + high;
}
__device__ __forceinline__ void collect_sums(const Output&, RowState&) {}
__device__ __forceinline__ void shrink_sum(RowState& rows, int h) { rows.sum[h] *= rows.shrink[h]; }
__device__ __forceinline__ f32 row_sum(const Output&, const RowState& rows, int h) {
    f32 sum = rows.sum[h];
    sum += shuffle_xor_f32(sum, 1);
    return sum + shuffle_xor_f32(sum, 2);
}
__device__ __forceinline__ void write_ones(u32) {}
