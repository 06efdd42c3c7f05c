// Row sums by the tensor core, of the probabilities as they were rounded: a product with ones of
// its own, whose accumulators, behind those of O, start anew every tile.
constexpr int kSumRegisters = plan::head_dim_v / 2;  // the first of them in Output

__device__ __forceinline__ void add_to_sum(RowState&, int, f32, f32) {}
__device__ __forceinline__ void shrink_sum(RowState& rows, int h) { rows.sum[h] *= rows.shrink[h]; }
// What a tile's product has summed joins the row's sum.
__device__ __forceinline__ void collect_sums(const Output& output, RowState& rows) {
#pragma unroll
    for (int h = 0; h < 2; ++h) rows.sum[h] += output[kSumRegisters + 2 * h];
}
__device__ __forceinline__ f32 row_sum(const Output&, const RowState& rows, int h) {
    return rows.sum[h];
}

// Eight rows of ones in every stage.
__device__ __forceinline__ void write_ones(u32 shared) {
    constexpr u32 kOnes = 0x38383838u;
    constexpr u32 kChunks = 8 * kValuePanelBytes / 16;
    const u32 ones[4] = {kOnes, kOnes, kOnes, kOnes};
    for (u32 i = thread_index(); i < plan::stages * kChunks; i += plan::threads) {
        store_shared_u32x4(
            shared + i / kChunks * plan::stage_bytes + plan::ones_offset + i % kChunks * 16, ones);
    }
}
