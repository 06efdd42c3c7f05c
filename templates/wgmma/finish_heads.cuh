// When a CTA is through with its tiles, it counts those of heads that it shares with other CTAs.
// The last to count a head settles it where there are notes; heads of its own each settles itself.

// Above a head's notes: which CTA settles them.
__device__ __forceinline__ u32 own_mark() { return (cta_index() + 1) * 4; }

// Notes of a head of which this CTA has quantized tiles, if it is the one to settle them.
__device__ __forceinline__ u32 notes_to_settle(const Call& call, u32 kv_row, u32 shared) {
    const u32 all = call.k_tiles, begin = begin_of_tiles(shared), end = end_of_tiles(shared);
    const u32 from = kv_row * all < begin ? begin : kv_row * all;
    const u32 to = (kv_row + 1) * all < end ? (kv_row + 1) * all : end;
    const u32 tiles = to - from;
    const bool mine =
        tiles == all || arrive_global(notes_of(call, kv_row) - 1, tiles) + tiles == all;
    return mine ? atomic_or_global(notes_of(call, kv_row), 0) : 0;
}

// Of the CTA's heads. Asked again wherever they are wanted.
__device__ __forceinline__ u32 first_head(const Call& call, u32 shared) {
    return begin_of_tiles(shared) / call.k_tiles;
}
__device__ __forceinline__ u32 last_head(const Call& call, u32 shared) {
    return (end_of_tiles(shared) - 1) / call.k_tiles;
}

__device__ __forceinline__ void finish_heads(const Call& call, u32 shared) {
    const u32 found = own_word(shared, kFound);
    cta_barrier();  // all tiles are written
#pragma unroll 1
    for (u32 head = first_head(call, shared) + thread_index(); head <= last_head(call, shared);
         head += plan::quant_threads) {
        const u32 notes = notes_to_settle(call, head, shared);
        if (notes == 0) continue;
        atomic_or_global(notes_of(call, head), own_mark());
        atomic_max_shared(found, 1);
    }
    cta_barrier();
    if (load_shared_u32(found) == 0) return;
#pragma unroll 1
    for (u32 head = first_head(call, shared); head <= last_head(call, shared); ++head) {
        cta_barrier();  // all have read what was found
        if (thread_index() == 0) {
            store_shared_u32(found, atomic_or_global(notes_of(call, head), 0));
        }
        cta_barrier();
        const u32 notes = load_shared_u32(found);
        if (notes / 4 == own_mark() / 4) settle_head(call, static_cast<i32>(head), notes, shared);
    }
}
