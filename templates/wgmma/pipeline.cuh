__device__ __forceinline__ void start_keys(const Call& call, const TilePosition& position, i32 tile,
                                           const Stage& stage) {
    const u64 row = static_cast<u64>(position.kv_row) * call.k_tiles + tile;
    bring_bytes<kKeyTileBytes>(stage.base + plan::k_offset, call.k_int8 + row * plan::k_tile_bytes,
                               barrier_of(stage, Signal::kArrived));
}

__device__ __forceinline__ void start_values(const Call& call, const TilePosition& position,
                                             i32 tile, const Stage& stage) {
    const u32 barrier = barrier_of(stage, Signal::kArrived);
    const u32 destination = stage.base + plan::v_offset;
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

// Steps of a query tile that sees so many key tiles: the last one has values only.
__device__ __forceinline__ i32 steps_of(i32 tiles) { return tiles > 0 ? tiles + 1 : 0; }

// All keys and values of one query tile, each step's once its stage has been read.
__device__ __forceinline__ void copy_tiles(const Call& call, const TilePosition& position,
                                           u32 shared, i32 tiles, Stage& stage) {
#pragma unroll 1
    for (i32 step = 0; step < steps_of(tiles); ++step) {
        mbarrier_wait(barrier_of(stage, Signal::kRead), stage.phase ^ 1);
        mbarrier_arrive_expect(
            barrier_of(stage, Signal::kArrived),
            (step < tiles ? kKeyTileBytes : 0) + (step > 0 ? kValueTileBytes : 0));
        if (step < tiles) start_keys(call, position, step, stage);
        if (step > 0) start_values(call, position, step - 1, stage);
        advance(stage, shared);
    }
}

// Steps whose keys no row of this group sees: the tiles still come and go.
__device__ __forceinline__ void skip_steps(u32 shared, Stage& stage, i32 count) {
#pragma unroll 1
    for (; count > 0; --count) {
        wait_for_arrival(stage);
        // Once lane 0 signals, this phase may pass while other lanes still wait for it.
        warp_barrier();
        signal_read(stage);
        advance(stage, shared);
    }
}
