// Quantization: one CTA per tile of Q, of K and, where V is not read as it is, of V.
extern "C" __global__ void __launch_bounds__(plan::quant_threads)
    quantize(const __grid_constant__ Call call) {
    const u32 shared = shared_base();
    const u32 query_ctas = static_cast<u32>(call.batch * call.heads_q) * call.q_tiles;
    const u32 key_ctas = static_cast<u32>(call.batch * call.heads_kv) * call.k_tiles;
    const u32 index = cta_index();
    if (index < query_ctas) {
        quantize_query_tile(call, index / call.q_tiles, index % call.q_tiles, shared);
    } else if (index < query_ctas + key_ctas) {
        const u32 key_index = index - query_ctas;
        quantize_key_tile(call, key_index / call.k_tiles, key_index % call.k_tiles, shared);
    } else {
        const u32 value_index = index - query_ctas - key_ctas;
        quantize_value_tile(call, value_index / call.k_tiles, value_index % call.k_tiles, shared);
    }
}
