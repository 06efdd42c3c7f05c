// The products of all key tiles add up in the tensor core's accumulator.

// Steps are walked in one stretch.
__device__ __forceinline__ i32 stretch_end(i32, i32 tiles) { return tiles; }
__device__ __forceinline__ void end_stretch(const Walk&, i32, i32, const RowState&, Output&) {}

// After the last of `tiles` products.
__device__ __forceinline__ void join_master(const Walk&, i32, RowState&, Output&) {}
