// Quantization, in one launch: tiles of keys, and of V where attention does not read it as it is.
// The next kernel may start at once; it waits for this one's end.

// A CTA takes consecutive tiles, as many as any other, or one more.
__device__ __forceinline__ void share_tiles(const Call& call, u32 shared) {
    if (thread_index() != 0) return;
    const u32 tiles = static_cast<u32>(call.batch) * call.heads_kv * call.k_tiles;
    const u32 share = tiles / cta_count(), more = tiles % cta_count();
    const u32 begin = cta_index() * share + (cta_index() < more ? cta_index() : more);
    store_shared_u32(own_word(shared, kBegin), begin);
    store_shared_u32(own_word(shared, kEnd), begin + share + (cta_index() < more ? 1 : 0));
    store_shared_u32(own_word(shared, kFound), 0);
}

extern "C" __global__ void __launch_bounds__(plan::quant_threads, plan::quant_ctas_per_sm)
    quantize(const __grid_constant__ Call call) {
    grid_dependency_launch();
    const u32 shared = shared_base();
    share_tiles(call, shared);
    if (call.tiles_drawn != nullptr && cta_index() == 0 && thread_index() == 0) {
        *call.tiles_drawn = 0;
    }
#pragma unroll
    for (u32 set = 0; set < kMarkSets; ++set) clear_marks(marks_of(shared, set));
    cta_barrier();
    wait_for_samples();
    i32 kv_row = static_cast<i32>(begin_of_tiles(shared) / call.k_tiles);
    i32 tile_index = static_cast<i32>(begin_of_tiles(shared) % call.k_tiles);
    const auto tile_row = [&] { return static_cast<u32>(kv_row) * call.k_tiles + tile_index; };
#pragma unroll 1
    while (tile_row() < end_of_tiles(shared)) {
        const i32 first = tile_index * plan::tile_k;
        const u32 marks = marks_of(shared, tile_row());
        KeyTile tile;
        if (kKeysFirst) load_key_tile(tile, call, kv_row, first);
        if (tile_index == 0 || tile_row() == begin_of_tiles(shared)) {
            start_head(call, kv_row, tile_index, shared);
        }
        prepare_values(call, kv_row, tile_index, shared);
        if (!kKeysFirst) load_key_tile(tile, call, kv_row, first);
        const i32 rows = key_rows_of(call, first);
        f32 mean[8];
        load_key_means(mean, shared);
        const u32 bad_passes = measure_keys(tile, mean, first, rows, marks);
        // Nobody has used these since the barrier before.
        clear_marks(marks_of(shared, tile_row() + 1));
        cta_barrier();
        write_keys(tile, mean, rows, marks, bad_passes,
                   call.k_int8 + static_cast<u64>(tile_row()) * plan::k_tile_bytes);
        write_key_meta(marks,
                       call.k_meta + static_cast<u64>(tile_row()) * (plan::k_meta_bytes / 4));
        if (++tile_index == call.k_tiles) {
            tile_index = 0;
            ++kv_row;
        }
    }
    finish_heads(call, shared);
}
