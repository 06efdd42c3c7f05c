// Per channel of K over one chunk of tokens: the sum of the finite values, in a fixed order.
__device__ __forceinline__ void key_statistics(const Call& call, i32 kv_row, i32 chunk,
                                               i32 first_token, i32 end_token, u32 shared) {
    constexpr int kRows = plan::quant_threads / plan::quant_lanes;
    constexpr u32 kWords = plan::head_dim_padded;
    const u32 lane = thread_index() % plan::quant_lanes;
    const u32 row = thread_index() / plan::quant_lanes;
    const u16* base = head_base(call.k, kv_row / call.heads_kv, kv_row % call.heads_kv);
    f32 sums[8] = {};
    if (lane * 8 < plan::head_dim) {
        for (i32 token = first_token + row; token < end_token; token += kRows) {
            u32 pairs[4];
            load_eight(pairs, base + token_offset(call.k, token) + 8 * lane,
                       call.k.vector_access != 0);
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                const u16 bits = nth_of_eight(pairs, i);
                if (input_is_finite(bits)) sums[i] = add_rn(sums[i], input_to_f32(bits));
            }
        }
    }
    if (lane * 8 < plan::head_dim_padded) {
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            store_shared_f32(shared + 4 * (row * kWords + 8 * lane + i), sums[i]);
        }
    }
    cta_barrier();
    for (u32 channel = thread_index(); channel < kWords; channel += plan::quant_threads) {
        f32 total = 0.0f;
        for (u32 i = 0; i < kRows; ++i) {
            total = add_rn(total, load_shared_f32(shared + 4 * (i * kWords + channel)));
        }
        call.k_sum[(static_cast<u64>(kv_row) * call.chunks + chunk) * kWords + channel] = total;
    }
}
