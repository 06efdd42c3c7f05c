// Key and value tiles on their way: four mbarriers a stage say that K or V has arrived and that
// every warp has read it. One warp of its own issues all copies, as soon as there is room. Tiles
// are counted from the CTA's first one on: its next query tile's keys follow without a gap.

enum class Signal { kKeysArrived, kValuesArrived, kKeysRead, kValuesRead };

__device__ __forceinline__ u32 stage_base(u32 shared, u32 slot) {
    return shared + slot % plan::stages * plan::stage_bytes;
}

__device__ __forceinline__ u32 barrier_of(u32 shared, Signal signal, u32 slot) {
    return shared + plan::barrier_offset +
           8 * (static_cast<u32>(signal) * plan::stages + slot % plan::stages);
}

// The phase of a tile's barriers: it flips each time the stage comes round.
__device__ __forceinline__ u32 phase_of(u32 slot) { return slot / plan::stages & 1; }

__device__ __forceinline__ void wait_for(u32 shared, Signal signal, u32 slot) {
    mbarrier_wait(barrier_of(shared, signal, slot), phase_of(slot));
}

// One answer for the whole warp: lanes that went different ways would lose count of the phases.
__device__ __forceinline__ bool has_happened(u32 shared, Signal signal, u32 slot) {
    return !vote_any(!mbarrier_test(barrier_of(shared, signal, slot), phase_of(slot)));
}

// This warp has read its part of a tile.
__device__ __forceinline__ void signal_read(u32 shared, Signal signal, u32 slot) {
    if (lane_index() == 0) mbarrier_arrive(barrier_of(shared, signal, slot));
}

// Starts the copy of a tile into a slot, once what was there has been read.
__device__ __forceinline__ void start_keys(const Call& call, const TilePosition& position,
                                           u32 shared, i32 tile, u32 slot) {
    if (slot >= plan::stages) wait_for(shared, Signal::kKeysRead, slot - plan::stages);
    const u64 row = static_cast<u64>(position.kv_row) * call.k_tiles + tile;
    const u32 barrier = barrier_of(shared, Signal::kKeysArrived, slot);
    mbarrier_arrive_expect(barrier, kKeyTileBytes);
    copy_bulk(stage_base(shared, slot) + plan::k_offset, call.k_int8 + row * plan::k_tile_bytes,
              kKeyTileBytes, barrier);
}

__device__ __forceinline__ void start_values(const Call& call, const TilePosition& position,
                                             u32 shared, i32 tile, u32 slot) {
    if (slot >= plan::stages) wait_for(shared, Signal::kValuesRead, slot - plan::stages);
    const u32 barrier = barrier_of(shared, Signal::kValuesArrived, slot);
    const u32 destination = stage_base(shared, slot) + plan::v_offset;
    mbarrier_arrive_expect(barrier, kValueTileBytes);
    if (call.v_packed != 0) {
        const u64 row = static_cast<u64>(position.kv_row) * call.k_tiles + tile;
        copy_bulk(destination, call.v_work + row * kValueTileBytes, kValueTileBytes, barrier);
        return;
    }
#pragma unroll
    for (int panel = 0; panel < plan::value_panels; ++panel) {
        copy_tensor_4d(destination + panel * plan::tile_k * kValuePanelBytes, &call.v_map,
                       64 * panel, tile * plan::tile_k, position.head_kv, position.batch, barrier);
    }
}

// All keys of one query tile, the first into `slot`: keys of a tile before values of the one
// before.
__device__ __forceinline__ void copy_tiles(const Call& call, const TilePosition& position,
                                           u32 shared, i32 tiles, u32 slot) {
#pragma unroll 1
    for (i32 tile = 0; tile <= tiles; ++tile) {
        if (tile < tiles) start_keys(call, position, shared, tile, slot + tile);
        if (tile > 0) start_values(call, position, shared, tile - 1, slot + tile - 1);
    }
}

// Steps whose keys no row of this group sees: the tiles still come and go.
__device__ __forceinline__ void skip_tiles(u32 shared, u32 slot, u32 end) {
#pragma unroll 1
    for (; slot != end; ++slot) {
        wait_for(shared, Signal::kKeysArrived, slot);
        wait_for(shared, Signal::kValuesArrived, slot);
        // Once lane 0 signals, these phases may pass while other lanes still wait for them.
        warp_barrier();
        signal_read(shared, Signal::kKeysRead, slot);
        signal_read(shared, Signal::kValuesRead, slot);
    }
}
