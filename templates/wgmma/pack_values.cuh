// V is copied, in the layout of shared memory, only where copies of boxes cannot read it as it is.
constexpr bool kKeysFirst = true;  // whether keys are read ahead of a head's means
__device__ __forceinline__ void wait_for_samples() {}
__device__ __forceinline__ void finish_heads(const Call&, u32) {}

// Every CTA finds the mean of its heads' keys; the one with a head's first tile keeps it for lse.
__device__ __forceinline__ void start_head(const Call& call, i32 kv_row, i32 tile_index,
                                           u32 shared) {
    KeySample sample;
    load_key_sample(sample, call, kv_row);
    find_key_mean(
        call, sample, shared,
        tile_index == 0 ? call.k_mean + static_cast<u64>(kv_row) * plan::head_dim_padded : nullptr);
}

__device__ __forceinline__ void prepare_values(const Call& call, i32 kv_row, i32 tile_index, u32) {
    if (call.v_packed == 0) return;
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
