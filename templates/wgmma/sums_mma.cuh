// Row sums ride along with P V: columns of ones behind the values.
__device__ __forceinline__ void add_to_sum(RowState&, int, f32, f32) {}
__device__ __forceinline__ void collect_sums(const Output&, RowState&) {}
__device__ __forceinline__ void shrink_sum(RowState&, int) {}
// Every column of ones holds the whole row's sum.
__device__ __forceinline__ f32 row_sum(const Output& output, const RowState&, int h) {
    return output[plan::head_dim_v / 2 + 2 * h];
}

// The panel of ones behind every stage's values.
__device__ __forceinline__ void write_ones(u32 shared) {
    constexpr u32 kChunks = plan::tile_k * kValuePanelBytes / 16;
    const u32 one = pair_of_ones();
    const u32 ones[4] = {one, one, one, one};
    for (u32 i = thread_index(); i < plan::stages * kChunks; i += plan::threads) {
        store_shared_u32x4(
            shared + i / kChunks * plan::stage_bytes + plan::ones_offset + i % kChunks * 16, ones);
    }
}
