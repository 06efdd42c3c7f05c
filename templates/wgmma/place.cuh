// Where query tiles are.

// Clusters of a head: its last one may have tiles without queries.
__device__ __forceinline__ i32 clusters_of(const Call& call) {
    return divide_up(call.q_tiles, plan::cluster_q);
}

// Tiles are numbered inside chunks of heads.
struct PlaceInChunk {
    u32 first_head;
    u32 heads;
    u32 index;
};
__device__ __forceinline__ PlaceInChunk place_in_chunk(const Call& call, u32 cluster) {
    const u32 heads = static_cast<u32>(call.batch) * call.heads_q;
    PlaceInChunk place;
    place.first_head = divide(cluster, call.by_chunk) * call.head_chunk;
    place.index = cluster - place.first_head * clusters_of(call);
    const u32 left = heads - place.first_head;
    place.heads = left < static_cast<u32>(call.head_chunk) ? left : call.head_chunk;
    return place;
}

// Key tiles that the queries first .. end - 1 see.
__device__ __forceinline__ i32 tiles_of(const Call& call, i32 first, i32 end) {
    return first < end ? divide_up(row_limit(call, end - 1), plan::tile_k) : 0;
}
