// Elements of q, k and v are bf16.
__device__ __forceinline__ f32 input_to_f32(u16 bits) { return bf16_to_f32(bits); }
__device__ __forceinline__ bool input_is_finite(u16 bits) { return (bits & 0x7F80u) != 0x7F80u; }
// 127 over a group's amax, which may be the largest float.
__device__ __forceinline__ f32 group_inverse(f32 top, f32 amax) { return div_rn(top, amax); }
