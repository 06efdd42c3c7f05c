// Elements of o are bf16, rounded to nearest even.
__device__ __forceinline__ u32 output_pair(f32 low, f32 high) { return f32_to_bf16x2(low, high); }
__device__ __forceinline__ bool output_is_finite(u16 bits) { return (bits & 0x7F80u) != 0x7F80u; }
