// Query tiles are drawn: they differ in length (causal ones) or in height, and dealt out in advance
// the CTA with the longest ones would keep all others waiting. Once the copying thread has issued
// all of a tile it draws the next number and hands it to the computing warps, by way of two words
// that take turns. Each lies in a stage of its own, with mbarriers that say that it is there and
// that it was read.

struct TileOrder {
    u32 turn;  // of words read or written so far
};

enum class OrderSignal : u32 { kDrawn, kTaken };

__device__ __forceinline__ u32 order_word(const TileOrder& order, u32 shared) {
    return shared + plan::order_offset + order.turn % 2 * plan::stage_bytes;
}
__device__ __forceinline__ u32 order_phase(const TileOrder& order) { return order.turn / 2 % 2; }
__device__ __forceinline__ u32 order_barrier(u32 word, OrderSignal signal) {
    return word + 8 + 8 * static_cast<u32>(signal);
}

__device__ __forceinline__ void prepare_order(u32 shared) {
    static_assert(plan::stages >= 2, "a word in each of two");
    for (TileOrder order{0}; order.turn < 2; ++order.turn) {
        const u32 word = order_word(order, shared);
        mbarrier_init(order_barrier(word, OrderSignal::kDrawn), 1);
        mbarrier_init(order_barrier(word, OrderSignal::kTaken),
                      plan::warps + (kHelp ? kHelpers : 0));
    }
}

// The copying thread, which is through with `tile`. As many numbers are drawn as there are tiles:
// of those past the end each CTA draws one, and has the first in its place. So the last draw leaves
// 0 for another launch. Without keys nobody has set the number to 0.
__device__ __forceinline__ u32 draw_tile(const Call& call, u32 tile, TileOrder& order, u32 shared) {
    if (call.len_k == 0) return tile + cta_count();
    const u32 drawn = cta_count() + atomic_next_global(call.tiles_drawn, query_tiles(call) - 1);
    const u32 word = order_word(order, shared);
    mbarrier_wait(order_barrier(word, OrderSignal::kTaken), order_phase(order) ^ 1);
    store_shared_u32(word, drawn);
    mbarrier_arrive(order_barrier(word, OrderSignal::kDrawn));
    ++order.turn;
    // What all lanes read at one address the compiler knows to be uniform, and with it all that
    // this thread works out of it: as it was drawn, it would cost every step.
    return load_shared_u32(word);
}

// The same for a computing warp. It must have left all of the tile's stages: the copying thread
// waits for them first.
__device__ __forceinline__ u32 next_tile(const Call& call, u32 tile, TileOrder& order, u32 shared) {
    if (call.len_k == 0) return tile + cta_count();
    const u32 word = order_word(order, shared);
    mbarrier_wait(order_barrier(word, OrderSignal::kDrawn), order_phase(order));
    const u32 drawn = warp_uniform(load_shared_u32(word));
    warp_barrier();  // all lanes have read it
    if (lane_index() == 0) mbarrier_arrive(order_barrier(word, OrderSignal::kTaken));
    ++order.turn;
    return drawn;
}
