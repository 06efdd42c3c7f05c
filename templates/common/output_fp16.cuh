// Elements of o are fp16, rounded to nearest even.
__device__ __forceinline__ u32 output_pair(f32 low, f32 high) { return f32_to_f16x2(low, high); }
