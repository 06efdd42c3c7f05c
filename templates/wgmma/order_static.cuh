// Query tiles are dealt out in advance, one to each CTA in turn.
struct TileOrder {};

__device__ __forceinline__ void prepare_order(u32) {}

// The tile after `tile`, for the copying thread and for the computing warps.
__device__ __forceinline__ u32 draw_tile(const Call&, u32 tile, TileOrder&, u32) {
    return tile + cta_count();
}
__device__ __forceinline__ u32 next_tile(const Call&, u32 tile, TileOrder&, u32) {
    return tile + cta_count();
}
