// One scale for the whole tile (block), or for the whole matrix (tensor).
constexpr u32 kQueryGroups = 1;
constexpr u32 kKeyGroups = 1;
__device__ __forceinline__ u32 query_group(u32) { return 0; }
__device__ __forceinline__ u32 key_group(u32) { return 0; }
__device__ __forceinline__ u32 query_group_of_scale(u32) { return 0; }
__device__ __forceinline__ u32 key_group_of_scale(u32) { return 0; }
