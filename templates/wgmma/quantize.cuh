// Quantization, in one launch: a CTA takes one tile of keys, and of V where its rows cannot be
// copied as they are. The attention kernel may start at once; it waits for this one's end.
__device__ __forceinline__ void pack_values(const Call& call, i32 kv_row, i32 tile_index) {
    constexpr u32 kChunks = plan::value_panels * kValuePanelBytes / 16;
    const u16* base = head_base(call.v, kv_row / call.heads_kv, kv_row % call.heads_kv);
    u8* destination =
        call.v_work + (static_cast<u64>(kv_row) * call.k_tiles + tile_index) * kValueTileBytes;
    for (u32 i = thread_index(); i < plan::tile_k * kChunks; i += plan::quant_threads) {
        const u32 row = i / kChunks;
        const u32 chunk = i % kChunks;
        const i32 token = tile_index * plan::tile_k + static_cast<i32>(row);
        u32 pairs[4] = {0, 0, 0, 0};
        if (token < call.len_k && 8 * chunk < plan::head_dim_v) {
            load_eight(pairs, base + token_offset(call.v, token) + 8 * chunk,
                       call.v.vector_access != 0);
        }
        const u32 panel = chunk / (kValuePanelBytes / 16);
        const u32 byte = chunk % (kValuePanelBytes / 16) * 16;
        store_global_u32x4(destination + panel * (plan::tile_k * kValuePanelBytes) +
                               panel_offset<kValuePanelBytes>(row, byte),
                           pairs);
    }
}

extern "C" __global__ void __launch_bounds__(plan::quant_threads)
    quantize(const __grid_constant__ Call call) {
    grid_dependency_launch();
    const u32 shared = shared_base();
    const i32 kv_row = static_cast<i32>(cta_index() / call.k_tiles);
    const i32 tile_index = static_cast<i32>(cta_index() % call.k_tiles);
    quantize_key_tile(call, kv_row, tile_index, shared);
    keep_key_mean(call, kv_row, tile_index, shared);
    if (call.v_packed != 0) pack_values(call, kv_row, tile_index);
}
