// Elements of o are bf16, rounded to nearest even.
__device__ __forceinline__ u32 output_pair(f32 low, f32 high) { return f32_to_bf16x2(low, high); }
// Of pairs: what was not finite before, or is not now, is NaN, all else 0.
__device__ __forceinline__ u32 add_not_finite(u32 seen, u32 pair) {
    return add_zeros_bf16x2(seen, pair);
}
__device__ __forceinline__ bool output_is_finite(u16 bits) { return (bits & 0x7F80u) != 0x7F80u; }
