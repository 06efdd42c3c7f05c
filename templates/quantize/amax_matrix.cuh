// Tensor granularity: the largest magnitude is that of every tile of the matrix, left by the amax
// kernel.
__device__ __forceinline__ void replace_amax(const f32* tile_amax, i32 tiles, u32 slot) {
    u32 largest = 0;
    for (i32 tile = thread_index(); tile < tiles; tile += plan::quant_threads) {
        const u32 bits = f32_to_bits(tile_amax[tile]);
        largest = bits > largest ? bits : largest;
    }
    atomic_max_shared(slot, largest);
    cta_barrier();
}
