// Nothing was subtracted.
__device__ __forceinline__ void keep_key_mean(const Call&, i32, i32, u32) {}
