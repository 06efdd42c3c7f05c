// Byte offset of a 16-byte chunk in a swizzled tile. The eight rows that one ldmatrix phase reads
// fall into eight different bank groups for every row length that is a multiple of 32 bytes.
template <int row_bytes, int swizzle_chunks, int swizzle_rows>
__device__ __forceinline__ u32 swizzled(u32 row, u32 chunk) {
    const u32 flip = (row / swizzle_rows) & (swizzle_chunks - 1);
    return row * row_bytes + ((chunk ^ flip) << 4);
}

__device__ __forceinline__ u32 k_chunk_offset(u32 row, u32 chunk) {
    return swizzled<plan::k_row_bytes, plan::k_swizzle_chunks, plan::k_swizzle_rows>(row, chunk);
}

__device__ __forceinline__ u32 v_chunk_offset(u32 row, u32 chunk) {
    return swizzled<plan::v_row_bytes, plan::v_swizzle_chunks, plan::v_swizzle_rows>(row, chunk);
}

// From the address of one chunk to that of the chunk so many further in its row: an even number,
// and the first one's is 0 or 1. Rows and tiles start where the flipped bits of an address are 0.
template <int swizzle_chunks>
__device__ __forceinline__ u32 chunks_further(u32 address, u32 chunks) {
    return (address ^ ((chunks % swizzle_chunks) << 4)) +
           chunks / swizzle_chunks * swizzle_chunks * 16;
}
