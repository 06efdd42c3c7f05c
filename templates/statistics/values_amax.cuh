// Per channel of V over one chunk of tokens: the largest finite |v| and the first key that holds
// NaN or Inf.
__device__ __forceinline__ void value_statistics(const Call& call, i32 kv_row, i32 chunk,
                                                 i32 first_token, i32 end_token, u32 shared) {
    constexpr int kRows = plan::quant_threads / plan::quant_lanes_v;
    constexpr u32 kWords = plan::head_dim_v_padded;
    const u32 lane = thread_index() % plan::quant_lanes_v;
    const u16* base = head_base(call.v, kv_row / call.heads_kv, kv_row % call.heads_kv);
    cta_barrier();
    for (u32 i = thread_index(); i < 2 * kWords; i += plan::quant_threads) {
        store_shared_u32(shared + 4 * i, 0);
    }
    cta_barrier();
    u32 amax[8] = {};
    i32 first_bad[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) first_bad[i] = kNoBadKey;
    if (lane * 8 < plan::head_dim_v) {
        for (i32 token = first_token + thread_index() / plan::quant_lanes_v; token < end_token;
             token += kRows) {
            u32 pairs[4];
            load_eight(pairs, base + token_offset(call.v, token) + 8 * lane,
                       call.v.vector_access != 0);
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                const u16 bits = nth_of_eight(pairs, i);
                const u32 magnitude = f32_to_bits(input_to_f32(bits)) & 0x7FFFFFFFu;
                if (!input_is_finite(bits)) {
                    first_bad[i] = token < first_bad[i] ? token : first_bad[i];
                } else {
                    amax[i] = magnitude > amax[i] ? magnitude : amax[i];
                }
            }
        }
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            // The first bad key is kept as its distance from kNoBadKey, so that a maximum finds it.
            atomic_max_shared(shared + 4 * (8 * lane + i), amax[i]);
            atomic_max_shared(shared + 4 * (kWords + 8 * lane + i),
                              static_cast<u32>(kNoBadKey - first_bad[i]));
        }
    }
    cta_barrier();
    const u64 row = (static_cast<u64>(kv_row) * call.chunks + chunk) * kWords;
    for (u32 i = thread_index(); i < kWords; i += plan::quant_threads) {
        call.v_amax[row + i] = load_shared_f32(shared + 4 * i);
        call.v_chunk_bad[row + i] =
            kNoBadKey - static_cast<i32>(load_shared_u32(shared + 4 * (kWords + i)));
    }
}
