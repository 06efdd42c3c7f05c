// The warps of the copying warpgroup that copy nothing prepare what a query tile needs besides keys
// and values, while the computing warps are at the tile before: its queries, quantized, where there
// is room for two blocks of them, and what finishes an output of e4m3 values.

static_assert(!kQueriesAhead || (kRowPairs && plan::head_dim == 8 * plan::quant_lanes),
              "rows that are read once, and whole");

// Blocks of shared memory, in turn: query tiles of this CTA so far. Two mbarriers in one say that
// helpers have prepared it and that every computing warp is through with it.
enum class BlockSignal : u32 { kPrepared, kUsed };

__device__ __forceinline__ u32 block_of(u32 shared, u32 turn) {
    return shared + turn % plan::query_blocks * plan::query_block_bytes;
}
__device__ __forceinline__ u32 block_phase(u32 turn) { return turn / plan::query_blocks % 2; }
__device__ __forceinline__ u32 block_barrier(u32 block, BlockSignal signal) {
    return block + plan::block_signal_offset + 8 * static_cast<u32>(signal);
}
// A word per unit: whether its queries are there.
__device__ __forceinline__ u32 quantized_units(u32 block) {
    return block + plan::block_signal_offset + 16;
}

__device__ __forceinline__ void prepare_blocks(u32 shared) {
    if constexpr (kHelp) {
        for (u32 turn = 0; turn < plan::query_blocks; ++turn) {
            const u32 block = block_of(shared, turn);
            mbarrier_init(block_barrier(block, BlockSignal::kPrepared), kHelpers);
            mbarrier_init(block_barrier(block, BlockSignal::kUsed), plan::warps);
        }
    }
}

// Queries of a unit. Returns false where they are not the common case: rows past the end, elements
// that cannot be read 16 bytes at a time, NaN, Inf or very small ones.
__device__ __forceinline__ bool prepare_unit(const Call& call, QuerySource source, u32 unit,
                                             u32 block) {
    const i32 rows_left = source.valid - static_cast<i32>(unit * kUnitRows);
    if (rows_left <= 0) return true;
    if (rows_left < static_cast<i32>(kUnitRows) || call.q.vector_access == 0) return false;
    RowPairs<1> next;
    load_whole_rows(call, source, UnitPlace{unit, 0}, next);
#pragma unroll 1
    for (u32 first = 0; first < kApart * kPassRows; first += kPassRows) {
        const RowPairs<1> rows = next;
        if (first + kPassRows < kApart * kPassRows) {
            load_whole_rows(call, source, UnitPlace{unit, first + kPassRows}, next);
        }
        if (!quantize_pairs(call, UnitPlace{unit, first}, block, rows)) return false;
    }
    return true;
}

// A helper warp, 0 to 2.
__device__ __forceinline__ void help(const Call& call, u32 shared, u32 helper) {
    if constexpr (!kHelp) return;
    grid_dependency_wait();
    TileOrder order{};
    u32 tile = cta_index();
#pragma unroll 1
    for (u32 turn = 0; tile < query_tiles(call); ++turn) {
        const u32 block = block_of(shared, turn);
        const TilePosition position = locate_tile(call, tile);
        mbarrier_wait(block_barrier(block, BlockSignal::kUsed), block_phase(turn) ^ 1);
        if (helper == kHelpers - 1) prepare_terms(call, position, block);
        // Those of the first tile are wanted at once: the computing warps, being more, take them.
        if (kQueriesAhead && turn > 0) {
            const QuerySource source = query_source(call, position);
#pragma unroll 1
            for (u32 unit = helper; unit < plan::warps; unit += kHelpers) {
                const bool done = prepare_unit(call, source, unit, block);
                if (lane_index() == 0) store_shared_u32(quantized_units(block) + 4 * unit, done);
            }
            fence_async_shared();
        }
        warp_barrier();
        if (lane_index() == 0) mbarrier_arrive(block_barrier(block, BlockSignal::kPrepared));
        tile = next_tile(call, tile, order, shared);
    }
}

// The computing warps' side of it.
__device__ __forceinline__ void wait_for_block(u32 block, u32 turn) {
    mbarrier_wait(block_barrier(block, BlockSignal::kPrepared), block_phase(turn));
}

// Whether helpers have quantized all queries of the group.
__device__ __forceinline__ bool has_queries(u32 block, u32 turn) {
    if (!kQueriesAhead || turn == 0) return false;
    wait_for_block(block, turn);
    u32 units[4];
    load_shared_u32x4(units, quantized_units(block) + 16 * group_index());
    return warp_uniform(units[0] & units[1] & units[2] & units[3]) != 0;
}

__device__ __forceinline__ void leave_block(u32 block) {
    if constexpr (kHelp) {
        warp_barrier();
        if (lane_index() == 0) mbarrier_arrive(block_barrier(block, BlockSignal::kUsed));
    }
}
