// V needs no statistics.
__device__ __forceinline__ void value_statistics(const Call&, i32, i32, i32, i32, u32) {}
