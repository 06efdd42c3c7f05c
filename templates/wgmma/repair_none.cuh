// No key is ever masked inside a row's tiles except past the end, where V is zero: NaN and Inf
// reach just the rows they should.
__device__ __forceinline__ void keep_row(u32, u32, f32, f32) {}
__device__ __forceinline__ u32 add_spoiled(u32 spoiled, const f32 (&)[2], u32) { return spoiled; }
__device__ __forceinline__ bool needs_repair(u32) { return false; }
__device__ __forceinline__ void repair_output(const Call&, const TilePosition&, u32) {}
