// Starts the copy of one tile of values from the caller's fp16 tensor: [token, channel], tokens
// past the end and padded channels filled with zeros.
__device__ __forceinline__ void start_v_copy(const Call& call, const TilePosition& position,
                                             i32 tile, u32 stage) {
    constexpr int kChunks = plan::v_row_bytes / 16;
    constexpr int kCopies = plan::tile_k * kChunks;
    const u16* base = head_base(call.v, position.batch, position.head_kv);
    const i32 first_key = tile * plan::tile_k;
#pragma unroll
    for (int i = 0; i < divide_up(kCopies, plan::threads); ++i) {
        const u32 index = thread_index() + i * plan::threads;
        if (kCopies % plan::threads != 0 && index >= kCopies) break;
        const u32 row = index / kChunks;
        const u32 chunk = index % kChunks;
        const u32 key = first_key + row;
        const bool inside = static_cast<i32>(key) < call.len_k && chunk * 8 < plan::head_dim_v;
        const u32 destination = stage + plan::v_offset + v_chunk_offset(row, chunk);
        const u16* source = inside ? base + token_offset(call.v, key) + chunk * 8 : base;
        if (call.v.vector_access != 0) {
            cp_async_16(destination, source, inside ? 16 : 0);
        } else {
            u32 pairs[4] = {0, 0, 0, 0};
            if (inside) load_eight(pairs, source, false);
            store_shared_u32x4(destination, pairs);
        }
    }
}
