// Starts the copy of a tile into a slot, once what was there has been read.
__device__ __forceinline__ void start_keys(const Call& call, const TilePosition& position,
                                           u32 shared, i32 tile, u32 slot) {
    if (slot >= plan::stages) wait_for(shared, Signal::kKeysRead, slot - plan::stages);
    const u64 row = static_cast<u64>(position.kv_row) * call.k_tiles + tile;
    const u32 barrier = barrier_of(shared, Signal::kKeysArrived, slot);
    mbarrier_arrive_expect(barrier, kKeyTileBytes);
    bring_bytes<kKeyTileBytes>(stage_base(shared, slot) + plan::k_offset,
                               call.k_int8 + row * plan::k_tile_bytes, barrier);
}

__device__ __forceinline__ void start_values(const Call& call, const TilePosition& position,
                                             u32 shared, i32 tile, u32 slot) {
    if (slot >= plan::stages) wait_for(shared, Signal::kValuesRead, slot - plan::stages);
    const u32 barrier = barrier_of(shared, Signal::kValuesArrived, slot);
    const u32 destination = stage_base(shared, slot) + plan::v_offset;
    mbarrier_arrive_expect(barrier, kValueTileBytes);
    if (call.v_packed != 0) {
        const u64 row = static_cast<u64>(position.kv_row) * call.k_tiles + tile;
        bring_bytes<kValueTileBytes>(destination, call.v_work + row * kValueTileBytes, barrier);
        return;
    }
#pragma unroll
    for (int panel = 0; panel < plan::value_panels; ++panel) {
        bring_panel(destination + panel * plan::tile_k * kValuePanelBytes, call, position,
                    64 * panel, tile * plan::tile_k, barrier);
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
