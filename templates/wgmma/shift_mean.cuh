// Smoothing took logit_scale * dot(q, k_mean) from every logit of the row. The four lanes that
// share a row add it up from the caller's q.
__device__ __forceinline__ f32 query_shift(const Call& call, const TilePosition& position,
                                           i32 query) {
    const Heads heads = heads_of(call, position.q_row);
    const f32* mean = call.k_mean + static_cast<u64>(heads.kv_row) * plan::head_dim_padded;
    const u16* row = head_base(call.q, heads.batch, heads.head_q) + token_offset(call.q, query);
    f32 dot = 0.0f;
    if (query < call.len_q && call.len_k > 0) {
        for (u32 channel = 8 * (lane_index() % 4); channel < plan::head_dim; channel += 32) {
            u32 pairs[4];
            load_eight(pairs, row + channel, call.q.vector_access != 0);
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                dot = fma_rn(input_to_f32(nth_of_eight(pairs, i)), mean[channel + i], dot);
            }
        }
    }
    dot += shuffle_xor_f32(dot, 1);
    dot += shuffle_xor_f32(dot, 2);
    return call.logit_scale * dot;
}
