// Causal to the bottom right corner: query i sees keys j <= i + len_k - len_q.
__device__ __forceinline__ i32 row_limit(const Call& call, i32 query) {
    const i32 limit = query + 1 + call.len_k - call.len_q;
    return limit < 0 ? 0 : (limit < call.len_k ? limit : call.len_k);
}
// Longest rows first, so that the last CTAs are the short ones.
__device__ __forceinline__ i32 tile_in_order(i32 index, i32 tiles) { return tiles - 1 - index; }
