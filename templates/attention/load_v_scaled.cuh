// Copies of values from the workspace into stages: [token, channel] fp16, already padded.
struct ValueCopies {
    u32 source;       // this thread's first chunk of the next tile, in chunks of the workspace
    u32 destination;  // of the chunk, in a stage
};

constexpr int kValueChunks = plan::v_row_bytes / 16;
constexpr int kValueCopies = plan::tile_k * kValueChunks;

__device__ __forceinline__ void locate_values(const Call& call, const TilePosition& position,
                                              ValueCopies& copies) {
    const u32 row = static_cast<u32>(position.kv_row) * static_cast<u32>(call.k_tiles);
    copies.source = row * kValueCopies + thread_index();
    copies.destination =
        kept_where_room(plan::v_offset + v_chunk_offset(thread_index() / kValueChunks,
                                                        thread_index() % kValueChunks));
}

__device__ __forceinline__ bool values_are_aligned(const Call&) { return true; }

template <bool aligned>
__device__ __forceinline__ void start_v_copy(const Call& call, ValueCopies& copies, u32 stage,
                                             bool wanted) {
    constexpr int kRows = plan::threads / kValueChunks;
    constexpr bool kRegular = plan::threads % kValueChunks == 0 &&
                              kRows % (plan::v_swizzle_chunks * plan::v_swizzle_rows) == 0;
    const u32 first = stage + copies.destination;
    const u8* source = call.v_work + static_cast<u64>(copies.source) * 16;
#pragma unroll
    for (int i = 0; i < divide_up(kValueCopies, plan::threads); ++i) {
        const u32 index = thread_index() + i * plan::threads;
        const bool inside = kValueCopies % plan::threads == 0 || index < kValueCopies;
        const u32 destination =
            kRegular ? first + i * kRows * plan::v_row_bytes
                     : stage + plan::v_offset +
                           v_chunk_offset(index / kValueChunks, index % kValueChunks);
        cp_async_16_if(wanted && inside, destination, source + i * plan::threads * 16);
    }
    copies.source += wanted ? kValueCopies : 0;
}
