// Causal from the top left corner: query i sees keys j <= i.
__device__ __forceinline__ i32 row_limit(const Call& call, i32 query) {
    return query + 1 < call.len_k ? query + 1 : call.len_k;
}
// Longest rows first, so that the last CTAs are the short ones.
__device__ __forceinline__ i32 tile_in_order(i32 index, i32 tiles) { return tiles - 1 - index; }
