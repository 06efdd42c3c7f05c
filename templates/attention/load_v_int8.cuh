// Copies of values from the workspace into stages: [channel, token] int8, tokens permuted in groups
// of 16 so that score registers are the A operand of P V as they stand.
struct ValueCopies {
    u32 source;  // the next tile's first chunk, in chunks of the workspace
};

__device__ __forceinline__ void locate_values(const Call& call, const TilePosition& position,
                                              ValueCopies& copies) {
    const u32 channel_chunks = static_cast<u32>(call.k_tiles) * (plan::tile_k / 16);
    copies.source = static_cast<u32>(position.kv_row) * plan::head_dim_v_padded * channel_chunks;
}

__device__ __forceinline__ bool values_are_aligned(const Call&) { return true; }

template <bool aligned>
__device__ __forceinline__ void start_v_copy(const Call& call, ValueCopies& copies, u32 stage,
                                             bool wanted) {
    constexpr int kChunks = plan::v_row_bytes / 16;
    constexpr int kCopies = plan::head_dim_v_padded * kChunks;
    const u32 channel_chunks = static_cast<u32>(call.k_tiles) * (plan::tile_k / 16);
#pragma unroll
    for (int i = 0; i < divide_up(kCopies, plan::threads); ++i) {
        const u32 index = thread_index() + i * plan::threads;
        const bool inside = kCopies % plan::threads == 0 || index < kCopies;
        const u32 channel = index / kChunks;
        const u32 chunk = index % kChunks;
        const u64 source = copies.source + channel * channel_chunks + chunk;
        cp_async_16_if(wanted && inside, stage + plan::v_offset + v_chunk_offset(channel, chunk),
                       call.v_work + source * 16);
    }
    copies.source += wanted ? plan::tile_k / 16 : 0;
}
