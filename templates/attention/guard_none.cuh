// No key is ever masked inside a row's attended tiles except past the end, where V is zero-filled
// (or V is int8 and carries its own marks): NaN and Inf reach just the rows they should.
__device__ __forceinline__ bool output_needs_guard(const Output&, u32) { return false; }
__device__ __forceinline__ void guard_values(Output&, const Call&, const TilePosition&, i32, u32) {}
