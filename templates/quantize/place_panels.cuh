// Quantized keys lie as the attention kernel wants them in shared memory, so that one copy of
// consecutive bytes brings a tile.
__device__ __forceinline__ u32 key_offset(u32 row, u32 channel) {
    return int8_offset<plan::tile_k>(row, channel);
}
