// First pass of tensor granularity: the largest magnitude of every tile of Q and of K - k_mean.
extern "C" __global__ void __launch_bounds__(plan::quant_threads)
    tile_amax(const __grid_constant__ Call call) {
    const u32 shared = shared_base();
    const u32 groups = shared + kMeanBytes;
    const u32 query_ctas = static_cast<u32>(call.batch * call.heads_q) * call.q_tiles;
    const u32 index = cta_index();
    if (index < query_ctas) {
        TileRows<plan::tile_q, plan::quant_threads> tile;
        read_query_tile(call, index / call.q_tiles, index % call.q_tiles, tile, groups);
        if (thread_index() == 0) call.q_amax[index] = load_shared_f32(groups);
    } else {
        TileRows<plan::tile_k, plan::quant_threads> tile;
        f32 mean[8];
        const u32 key_index = index - query_ctas;
        read_key_tile(call, key_index / call.k_tiles, key_index % call.k_tiles, tile, mean, shared,
                      groups);
        if (thread_index() == 0) call.k_amax[key_index] = load_shared_f32(groups);
    }
}
