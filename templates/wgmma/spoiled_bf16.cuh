// Whether one of a row's outputs is not finite, asked of pairs of them as they are written: zeros
// until one is not, then NaN.
__device__ __forceinline__ u32 add_spoiled(u32 spoiled, const f32 (&)[2], u32 pair) {
    return add_zeros_bf16x2(spoiled, pair);
}
__device__ __forceinline__ bool needs_repair(u32 spoiled) { return (spoiled & 0x7FFF7FFFu) != 0; }
