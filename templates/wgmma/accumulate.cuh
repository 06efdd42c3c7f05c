// The products of all key tiles add up in the tensor core's accumulator.

// The softmax of `tile` has moved the reference.
__device__ __forceinline__ void rescale_all(const Walk&, i32, Output& output, RowState& rows) {
    rescale(output, rows);
}

// After the product of the tile before `tile`, the tile-th.
__device__ __forceinline__ void take_product(const Walk&, i32, Output& output, RowState& rows) {
    collect_sums(output, rows);
}

// After the last of `tiles` products.
__device__ __forceinline__ void take_last_product(const Walk&, i32, Output& output,
                                                  RowState& rows) {
    collect_sums(output, rows);
}
