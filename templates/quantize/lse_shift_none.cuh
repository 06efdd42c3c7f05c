// No lse, or nothing was subtracted: no correction to keep.
__device__ __forceinline__ void store_lse_shift(const Call&, u64, f32, u32) {}
__device__ __forceinline__ void prepare_lse_shift(const Call&, i32, u32) {}
