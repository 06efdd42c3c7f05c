// Statistics: one CTA reads one chunk of tokens of one batch and key head.
extern "C" __global__ void __launch_bounds__(plan::quant_threads)
    statistics(const __grid_constant__ Call call) {
    const u32 shared = shared_base();
    const i32 kv_row = static_cast<i32>(cta_index() / call.chunks);
    const i32 chunk = static_cast<i32>(cta_index() % call.chunks);
    const i32 first_token = chunk * call.chunk_tokens;
    const i32 end_token =
        call.len_k - first_token < call.chunk_tokens ? call.len_k : first_token + call.chunk_tokens;
    key_statistics(call, kv_row, chunk, first_token, end_token, shared);
    value_statistics(call, kv_row, chunk, first_token, end_token, shared);
}
