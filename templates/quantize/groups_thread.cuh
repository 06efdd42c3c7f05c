// One scale for the rows one lane of the attention kernel holds: queries with equal row mod 8
// among a warp's rows, keys with equal (row mod 8) / 2 inside the tile.
constexpr u32 kQueryGroups = 8 * plan::warps;
constexpr u32 kKeyGroups = 4;
__device__ __forceinline__ u32 query_group(u32 row) { return row / plan::warp_q * 8 + row % 8; }
__device__ __forceinline__ u32 key_group(u32 row) { return row % 8 / 2; }
__device__ __forceinline__ u32 query_group_of_scale(u32 slot) { return slot; }
__device__ __forceinline__ u32 key_group_of_scale(u32 slot) { return slot; }
