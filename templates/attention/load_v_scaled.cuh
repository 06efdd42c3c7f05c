// Starts the copy of one tile of values from the workspace: [token, channel] fp16, already padded.
__device__ __forceinline__ void start_v_copy(const Call& call, const TilePosition& position,
                                             i32 tile, u32 stage) {
    constexpr int kChunks = plan::v_row_bytes / 16;
    constexpr int kCopies = plan::tile_k * kChunks;
    const u64 row = static_cast<u64>(position.kv_row) * call.k_tiles + tile;
    const u8* source = call.v_work + row * (plan::tile_k * plan::v_row_bytes);
#pragma unroll
    for (int i = 0; i < divide_up(kCopies, plan::threads); ++i) {
        const u32 index = thread_index() + i * plan::threads;
        if (kCopies % plan::threads == 0 || index < kCopies) {
            cp_async_16(stage + plan::v_offset + v_chunk_offset(index / kChunks, index % kChunks),
                        source + index * 16, 16);
        }
    }
}
