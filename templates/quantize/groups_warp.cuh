// One scale for the queries of a warp, one for the keys of a tile.
constexpr u32 kQueryGroups = plan::warps;
constexpr u32 kKeyGroups = 1;
__device__ __forceinline__ u32 query_group(u32 row) { return row / plan::warp_q; }
__device__ __forceinline__ u32 key_group(u32) { return 0; }
__device__ __forceinline__ u32 query_group_of_scale(u32 slot) { return slot / 8; }
__device__ __forceinline__ u32 key_group_of_scale(u32) { return 0; }
