// One scale per row.
constexpr u32 kQueryGroups = plan::tile_q;
constexpr u32 kKeyGroups = plan::tile_k;
__device__ __forceinline__ u32 query_group(u32 row) { return row; }
__device__ __forceinline__ u32 key_group(u32 row) { return row; }
__device__ __forceinline__ u32 query_group_of_scale(u32 slot) { return slot; }
__device__ __forceinline__ u32 key_group_of_scale(u32 slot) { return slot; }
