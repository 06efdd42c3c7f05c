// Starts the copy of one tile of values from the workspace: [channel, token] int8, tokens permuted
// in groups of 16 so that score registers are the A operand of P V as they stand.
__device__ __forceinline__ void start_v_copy(const Call& call, const TilePosition& position,
                                             i32 tile, u32 stage) {
    constexpr int kChunks = plan::v_row_bytes / 16;
    constexpr int kCopies = plan::head_dim_v_padded * kChunks;
    const u64 channel_bytes = static_cast<u64>(call.k_tiles) * plan::tile_k;
    const u8* source = call.v_work +
                       static_cast<u64>(position.kv_row) * plan::head_dim_v_padded * channel_bytes +
                       static_cast<u64>(tile) * plan::tile_k;
#pragma unroll
    for (int i = 0; i < divide_up(kCopies, plan::threads); ++i) {
        const u32 index = thread_index() + i * plan::threads;
        if (kCopies % plan::threads == 0 || index < kCopies) {
            const u32 channel = index / kChunks;
            const u32 chunk = index % kChunks;
            cp_async_16(stage + plan::v_offset + v_chunk_offset(channel, chunk),
                        source + channel * channel_bytes + chunk * 16, 16);
        }
    }
}
