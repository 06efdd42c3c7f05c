// Pairs of fp16 elements: NaN where one is.
__device__ __forceinline__ u32 larger_pair(u32 a, u32 b) { return larger_f16x2(a, b); }
__device__ __forceinline__ u32 smaller_pair(u32 a, u32 b) { return smaller_f16x2(a, b); }
