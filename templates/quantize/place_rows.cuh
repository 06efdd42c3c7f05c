// Quantized keys lie as [tile_k, head_dim_padded].
__device__ __forceinline__ u32 key_offset(u32 row, u32 channel) {
    return row * plan::head_dim_padded + channel;
}
