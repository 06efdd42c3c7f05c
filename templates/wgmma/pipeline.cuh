// Steps of a query tile that sees so many key tiles: the last one has values only.
__device__ __forceinline__ i32 steps_of(i32 tiles) { return tiles > 0 ? tiles + 1 : 0; }

// A tile of V as the caller has it.
__device__ __forceinline__ void bring_panels(const Call& call, const Heads& heads, i32 key,
                                             u32 destination, u32 barrier) {
#pragma unroll
    for (int panel = 0; panel < plan::value_panels; ++panel) {
        bring_panel(destination + panel * plan::tile_k * kValuePanelBytes, call, heads, 64 * panel,
                    key, barrier);
    }
}

// All keys and values of one query tile, each step's once its stage has been read. What a copy
// needs is known before that: nothing stands between a stage and its copies.
__device__ __forceinline__ void copy_tiles(const Call& call, const Heads& heads, u32 shared,
                                           i32 tiles, Stage& stage) {
    const u64 first = static_cast<u64>(heads.kv_row) * call.k_tiles;
    const i8* keys = call.k_int8 + first * plan::k_tile_bytes;
    const u8* values = call.v_work + first * kValueTileBytes;
    const bool packed = call.v_packed != 0;
#pragma unroll 1
    for (i32 step = 0; step < steps_of(tiles); ++step) {
        const bool with_keys = step < tiles;
        const bool with_values = step > 0;
        const u32 bytes = (with_keys ? kKeyTileBytes : 0) + (with_values ? kValueTileBytes : 0);
        const u32 barrier = barrier_of(stage, Signal::kArrived);
        mbarrier_wait(barrier_of(stage, Signal::kRead), stage.phase ^ 1);
        mbarrier_arrive_expect(barrier, bytes);
        if (with_keys) bring_bytes<kKeyTileBytes>(stage.base + plan::k_offset, keys, barrier);
        if (with_values) {
            if (packed) {
                bring_bytes<kValueTileBytes>(stage.base + plan::v_offset, values, barrier);
                values += kValueTileBytes;
            } else {
                bring_panels(call, heads, (step - 1) * plan::tile_k, stage.base + plan::v_offset,
                             barrier);
            }
        }
        keys += plan::k_tile_bytes;
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
