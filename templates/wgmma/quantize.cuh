// Quantization, in one launch: tiles of keys, and of V where attention does not read it as it is.
// The next kernel may start at once; it waits for this one's end.
extern "C" __global__ void __launch_bounds__(plan::quant_threads, plan::quant_ctas_per_sm)
    quantize(const __grid_constant__ Call call) {
    grid_dependency_launch();
    const u32 shared = shared_base();
    // Consecutive tiles, as many as any other CTA takes, or one more.
    const u32 tiles = static_cast<u32>(call.batch) * call.heads_kv * call.k_tiles;
    const u32 share = tiles / cta_count(), more = tiles % cta_count();
    const u32 begin = cta_index() * share + (cta_index() < more ? cta_index() : more);
    const u32 end = begin + share + (cta_index() < more ? 1 : 0);
    i32 kv_row = static_cast<i32>(begin / call.k_tiles);
    i32 tile_index = static_cast<i32>(begin % call.k_tiles);
    bool new_head = true;
    if (call.tiles_drawn != nullptr && cta_index() == 0 && thread_index() == 0) {
        *call.tiles_drawn = 0;
    }
    clear_marks(marks_of(shared, 0));
    cta_barrier();
#pragma unroll 1
    for (u32 turn = 0; turn < end - begin; ++turn) {
        const i32 first = tile_index * plan::tile_k;
        const u32 marks = marks_of(shared, turn);
        KeyTile tile;
        if (kKeysFirst) load_key_tile(tile, call, kv_row, first);
        if (new_head) {
            KeySample sample;
            load_key_sample(sample, call, kv_row);
            find_key_mean(call, sample, shared,
                          tile_index == 0
                              ? call.k_mean + static_cast<u64>(kv_row) * plan::head_dim_padded
                              : nullptr);
            prepare_value_head(call, kv_row, tile_index, shared);
        }
        prepare_values(call, kv_row, tile_index, shared, marks);
        if (!kKeysFirst) load_key_tile(tile, call, kv_row, first);
        const i32 rows = key_rows_of(call, first);
        f32 mean[8];
        load_key_means(mean, shared);
        const u32 bad_passes = measure_keys(tile, mean, first, rows, marks);
        // Nobody has used these since the barrier before.
        clear_marks(marks_of(shared, turn + 1));
        cta_barrier();
        const u64 tile_row = static_cast<u64>(kv_row) * call.k_tiles + tile_index;
        write_keys(tile, mean, rows, marks, bad_passes,
                   call.k_int8 + tile_row * plan::k_tile_bytes);
        write_key_meta(marks, call.k_meta + tile_row * (plan::k_meta_bytes / 4));
        keep_notes(call, tile_row, marks);
        new_head = ++tile_index == call.k_tiles;
        if (new_head) {
            tile_index = 0;
            ++kv_row;
        }
    }
}
