// Whether one of a row's outputs is not finite, asked before they are rounded: values of bf16 may
// be too large for outputs of fp16, and no repair would change that. 0 until one is not, then NaN.
__device__ __forceinline__ u32 add_spoiled(u32 spoiled, const f32 (&numbers)[2], u32) {
    return f32_to_bits(fma_rn(numbers[1], 0.0f, fma_rn(numbers[0], 0.0f, bits_to_f32(spoiled))));
}
__device__ __forceinline__ bool needs_repair(u32 spoiled) { return (spoiled & 0x7FFFFFFFu) != 0; }
