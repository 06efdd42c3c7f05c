// Copies of quantized keys and their scales into stages, tile after tile.
struct KeyCopies {
    u32 source;       // this thread's first chunk of the next tile, in chunks of the workspace
    u32 meta;         // the same among scales
    u32 destination;  // of the chunk, in a stage
};

constexpr int kKeyChunks = plan::k_row_bytes / 16;
constexpr int kKeyCopies = plan::tile_k * kKeyChunks;
constexpr u32 kMetaCopies = plan::k_meta_words / 4;
static_assert(plan::k_tile_bytes % 16 == 0 && plan::k_meta_words % 4 == 0, "whole chunks");

__device__ __forceinline__ void locate_keys(const Call& call, const TilePosition& position,
                                            KeyCopies& copies) {
    // Chunks, so that 32 bits count 64 GiB of them.
    const u32 row = static_cast<u32>(position.kv_row) * static_cast<u32>(call.k_tiles);
    copies.source = row * (plan::k_tile_bytes / 16) + thread_index();
    copies.destination = kept_where_room(
        plan::k_offset + k_chunk_offset(thread_index() / kKeyChunks, thread_index() % kKeyChunks));
    copies.meta = row * kMetaCopies + thread_index();
}

// Without a branch, so that it can stand among other work.
__device__ __forceinline__ void start_k_copy(const Call& call, KeyCopies& copies, u32 stage,
                                             bool wanted) {
    // Where a thread's chunks lie whole periods of the swizzle apart, so do their destinations.
    constexpr int kRows = plan::threads / kKeyChunks;
    constexpr bool kRegular = plan::threads % kKeyChunks == 0 &&
                              kRows % (plan::k_swizzle_chunks * plan::k_swizzle_rows) == 0;
    const u32 first = stage + copies.destination;
    const i8* source = call.k_int8 + static_cast<u64>(copies.source) * 16;
#pragma unroll
    for (int i = 0; i < divide_up(kKeyCopies, plan::threads); ++i) {
        const u32 index = thread_index() + i * plan::threads;
        const bool inside = kKeyCopies % plan::threads == 0 || index < kKeyCopies;
        const u32 destination =
            kRegular
                ? first + i * kRows * plan::k_row_bytes
                : stage + plan::k_offset + k_chunk_offset(index / kKeyChunks, index % kKeyChunks);
        cp_async_16_if(wanted && inside, destination, source + i * plan::threads * 16);
    }
    cp_async_16_if(wanted && thread_index() < kMetaCopies,
                   stage + plan::meta_offset + thread_index() * 16,
                   call.k_meta + static_cast<u64>(copies.meta) * 4);
    copies.source += plan::k_tile_bytes / 16;
    copies.meta += kMetaCopies;
}
