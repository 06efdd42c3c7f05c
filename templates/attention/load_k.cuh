// Starts the copy of one tile of quantized keys and their scales into a stage.
__device__ __forceinline__ void start_k_copy(const Call& call, const TilePosition& position,
                                             i32 tile, u32 stage) {
    constexpr int kChunks = plan::k_row_bytes / 16;
    constexpr int kCopies = plan::tile_k * kChunks;
    const u64 row = static_cast<u64>(position.kv_row) * call.k_tiles + tile;
    const i8* source = call.k_int8 + row * (plan::tile_k * plan::head_dim_padded);
#pragma unroll
    for (int i = 0; i < divide_up(kCopies, plan::threads); ++i) {
        const u32 index = thread_index() + i * plan::threads;
        if (kCopies % plan::threads == 0 || index < kCopies) {
            cp_async_16(stage + plan::k_offset + k_chunk_offset(index / kChunks, index % kChunks),
                        source + index * 16, 16);
        }
    }
    constexpr u32 kMetaCopies = plan::k_meta_words / 4;
    if (thread_index() < kMetaCopies) {
        cp_async_16(stage + plan::meta_offset + thread_index() * 16,
                    call.k_meta + row * plan::k_meta_words + thread_index() * 4, 16);
    }
}
