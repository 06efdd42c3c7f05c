// Elements of q, k and v are fp16.
__device__ __forceinline__ f32 input_to_f32(u16 bits) { return f16_to_f32(bits); }
__device__ __forceinline__ bool input_is_finite(u16 bits) { return (bits & 0x7C00u) != 0x7C00u; }
// 127 over a group's amax, which is between kAmaxFloor and 65504.
__device__ __forceinline__ f32 group_inverse(f32 top, f32 amax) { return div_normal(top, amax); }
