// P and V are fp16.
__device__ __forceinline__ u32 probability_pair(f32 low, f32 high) {
    return f32_to_f16x2(low, high);
}
__device__ __forceinline__ f32 value_to_f32(u16 bits) { return f16_to_f32(bits); }
__device__ __forceinline__ u32 pair_of_ones() { return 0x3C003C00u; }
