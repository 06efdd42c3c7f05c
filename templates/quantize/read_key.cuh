// One tile of keys; mean receives this lane's eight channels.
__device__ __forceinline__ void read_key_tile(const Call& call, i32 kv_row, i32 tile_index,
                                              TileRows<plan::tile_k, plan::quant_threads>& tile,
                                              f32 (&mean)[8], u32 shared, u32 groups) {
    const i32 first = tile_index * plan::tile_k;
    const u32 lane = thread_index() % plan::quant_lanes;
    load_key_mean(call, kv_row, shared);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
        mean[i] = lane * 8 < plan::head_dim_padded ? key_mean(shared, 8 * lane + i) : 0.0f;
    }
    clear_groups<plan::quant_threads>(groups, kKeyGroups + 1);
    read_rows<false>(tile, call.k,
                     head_base(call.k, kv_row / call.heads_kv, kv_row % call.heads_kv), first,
                     call.len_k - first, mean, groups);
    cta_barrier();
}
