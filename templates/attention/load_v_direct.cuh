// Copies of values from the caller's fp16 tensor into stages: [token, channel], tokens past the end
// and padded channels filled with zeros.
constexpr int kValueChunks = plan::v_row_bytes / 16;
constexpr int kValueCopies = plan::tile_k * kValueChunks;
// A thread's chunks lie in one column, so many rows apart, and the next tile's go on from there.
constexpr int kValueRows = plan::threads / kValueChunks;
constexpr bool kValueColumns =
    plan::threads % kValueChunks == 0 && kValueCopies % plan::threads == 0;

struct ValueCopies {
    const u16* source;  // of this thread's next chunk; of the tile, where not kValueColumns
    u64 step;           // elements to the one after it
    i32 keys;           // from the start of the next tile to the end
    i32 row;            // of this thread's first chunk
    u32 destination;    // of that chunk, in a stage
};

__device__ __forceinline__ void locate_values(const Call& call, const TilePosition& position,
                                              ValueCopies& copies) {
    copies.source = head_base(call.v, position.batch, position.head_kv);
    if (kValueColumns) {
        copies.source +=
            token_offset(call.v, thread_index() / kValueChunks) + thread_index() % kValueChunks * 8;
    }
    copies.step = token_offset(call.v, kValueColumns ? kValueRows : plan::tile_k);
    copies.keys = call.len_k;
    copies.row = static_cast<i32>(thread_index() / kValueChunks);
    copies.destination =
        kept_where_room(plan::v_offset + v_chunk_offset(thread_index() / kValueChunks,
                                                        thread_index() % kValueChunks));
}

__device__ __forceinline__ bool values_are_aligned(const Call& call) {
    return call.v.vector_access != 0;
}

// Rows that do not start on 16-byte boundaries, element by element.
__device__ __forceinline__ void copy_values_slowly(const Call& call, i32 keys, u32 stage) {
    const TilePosition position = locate_tile(call);
    const u16* base = head_base(call.v, position.batch, position.head_kv);
    const u32 first_key = static_cast<u32>(call.len_k - keys);
#pragma unroll 1
    for (u32 index = thread_index(); index < kValueCopies; index += plan::threads) {
        const u32 row = index / kValueChunks;
        const u32 chunk = index % kValueChunks;
        u32 pairs[4] = {0, 0, 0, 0};
        if (static_cast<i32>(row) < keys && chunk * 8 < plan::head_dim_v) {
            load_eight(pairs, base + token_offset(call.v, first_key + row) + chunk * 8, false);
        }
        store_shared_u32x4(stage + plan::v_offset + v_chunk_offset(row, chunk), pairs);
    }
}

// Without a branch, where values are known to be aligned. Past the last token it writes zeros.
template <bool aligned>
__device__ __forceinline__ void start_v_copy(const Call& call, ValueCopies& copies, u32 stage,
                                             bool wanted) {
    if (!aligned) {
        if (!wanted) return;
        if (!values_are_aligned(call)) {
            copy_values_slowly(call, copies.keys, stage);
            copies.keys -= plan::tile_k;
            return;
        }
    }
    constexpr bool kRegular =
        kValueColumns && kValueRows % (plan::v_swizzle_chunks * plan::v_swizzle_rows) == 0;
    const u32 first = stage + copies.destination;
#pragma unroll
    for (int i = 0; i < divide_up(kValueCopies, plan::threads); ++i) {
        const u32 index = thread_index() + i * plan::threads;
        if (kValueCopies % plan::threads != 0 && index >= kValueCopies) break;
        const u32 row = index / kValueChunks;
        const u32 chunk = kValueColumns ? thread_index() % kValueChunks : index % kValueChunks;
        const u32 destination = kRegular ? first + i * kValueRows * plan::v_row_bytes
                                         : stage + plan::v_offset + v_chunk_offset(row, chunk);
        const bool attended = kValueColumns ? copies.row < copies.keys - i * kValueRows
                                            : static_cast<i32>(row) < copies.keys;
        const bool inside = attended && chunk * 8 < plan::head_dim_v;
        const u16* source = copies.source;
        if (kValueColumns) {
            copies.source = elements_further(copies.source, copies.step);
        } else {
            source += token_offset(call.v, row) + chunk * 8;
        }
        cp_async_16(destination, source, inside ? 16 : 0);
    }
    if (!kValueColumns) copies.source += copies.step;
    copies.keys -= plan::tile_k;
}
