// Key and value tiles on their way: four mbarriers a stage say that K or V has arrived and that
// every warp has read it. One warp of its own issues all copies, as soon as there is room.

enum class Signal { kKeysArrived, kValuesArrived, kKeysRead, kValuesRead };

__device__ __forceinline__ u32 stage_base(u32 shared, i32 tile) {
    return shared + static_cast<u32>(tile) % plan::stages * plan::stage_bytes;
}

__device__ __forceinline__ u32 barrier_of(u32 shared, Signal signal, i32 tile) {
    return shared + plan::barrier_offset +
           8 * (static_cast<u32>(signal) * plan::stages + static_cast<u32>(tile) % plan::stages);
}

// The phase of a tile's barriers: it flips each time the stage comes round.
__device__ __forceinline__ u32 phase_of(i32 tile) {
    return static_cast<u32>(tile) / plan::stages & 1;
}

__device__ __forceinline__ void wait_for(u32 shared, Signal signal, i32 tile) {
    mbarrier_wait(barrier_of(shared, signal, tile), phase_of(tile));
}

// One answer for the whole warp: lanes that went different ways would lose count of the phases.
__device__ __forceinline__ bool has_happened(u32 shared, Signal signal, i32 tile) {
    return !vote_any(!mbarrier_test(barrier_of(shared, signal, tile), phase_of(tile)));
}

// This warp has read its part of a tile.
__device__ __forceinline__ void signal_read(u32 shared, Signal signal, i32 tile) {
    if (lane_index() == 0) mbarrier_arrive(barrier_of(shared, signal, tile));
}

// Starts the copy of a tile.
__device__ __forceinline__ void start_keys(const Call& call, const TilePosition& position,
                                           u32 shared, i32 tile) {
    const u64 row = static_cast<u64>(position.kv_row) * call.k_tiles + tile;
    const u32 barrier = barrier_of(shared, Signal::kKeysArrived, tile);
    mbarrier_arrive_expect(barrier, kKeyTileBytes);
    copy_bulk(stage_base(shared, tile) + plan::k_offset, call.k_int8 + row * plan::k_tile_bytes,
              kKeyTileBytes, barrier);
}

__device__ __forceinline__ void start_values(const Call& call, const TilePosition& position,
                                             u32 shared, i32 tile) {
    const u32 barrier = barrier_of(shared, Signal::kValuesArrived, tile);
    const u32 destination = stage_base(shared, tile) + plan::v_offset;
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

// What the copying warp does: keys of a tile before values of the one before, as they are read.
__device__ __forceinline__ void copy_tiles(const Call& call, const TilePosition& position,
                                           u32 shared, i32 tiles) {
    if (lane_index() != 0) return;
#pragma unroll 1
    for (i32 step = 0; step <= tiles; ++step) {
        if (step < tiles) {
            if (step >= plan::stages) wait_for(shared, Signal::kKeysRead, step - plan::stages);
            start_keys(call, position, shared, step);
        }
        const i32 tile = step - 1;
        if (tile >= 0) {
            if (tile >= plan::stages) wait_for(shared, Signal::kValuesRead, tile - plan::stages);
            start_values(call, position, shared, tile);
        }
    }
}

// Steps whose keys no row of this group sees: the tiles still come and go.
__device__ __forceinline__ void skip_tiles(u32 shared, i32 first, i32 tiles) {
#pragma unroll 1
    for (i32 tile = first; tile < tiles; ++tile) {
        wait_for(shared, Signal::kKeysArrived, tile);
        wait_for(shared, Signal::kValuesArrived, tile);
        // Once lane 0 signals, these phases may pass while other lanes still wait for them.
        warp_barrier();
        signal_read(shared, Signal::kKeysRead, tile);
        signal_read(shared, Signal::kValuesRead, tile);
    }
}
