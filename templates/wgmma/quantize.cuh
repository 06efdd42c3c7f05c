// Quantization, in one launch: a CTA takes one tile of keys, and of V where attention does not read
// it as it is. The next kernel may start at once; it waits for this one's end.
extern "C" __global__ void __launch_bounds__(plan::quant_threads, plan::quant_ctas_per_sm)
    quantize(const __grid_constant__ Call call) {
    grid_dependency_launch();
    const u32 shared = shared_base();
    const i32 kv_row = static_cast<i32>(cta_index() / call.k_tiles);
    const i32 tile_index = static_cast<i32>(cta_index() % call.k_tiles);
    quantize_key_tile(call, kv_row, tile_index, shared);
    keep_key_mean(call, kv_row, tile_index, shared);
    prepare_values(call, kv_row, tile_index, shared);
}
