// The CTA of a head's first tile keeps the mean, for lse.
__device__ __forceinline__ void keep_key_mean(const Call& call, i32 kv_row, i32 tile_index,
                                              u32 shared) {
    if (tile_index != 0) return;
    for (u32 channel = thread_index(); channel < plan::head_dim_padded;
         channel += plan::quant_threads) {
        call.k_mean[static_cast<u64>(kv_row) * plan::head_dim_padded + channel] =
            key_mean(shared, channel);
    }
}
