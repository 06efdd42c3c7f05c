// Keeps logit_scale * dot(q, k_mean), which smoothing takes from every logit of the row.
__device__ __forceinline__ void store_lse_shift(const Call& call, u64 padded_row, f32 dot,
                                                u32 lane) {
#pragma unroll
    for (int step = 1; step < plan::quant_lanes; step *= 2) {
        dot = add_rn(dot, shuffle_xor_f32(dot, step));
    }
    if (lane == 0) call.q_shift[padded_row] = mul_rn(call.logit_scale, dot);
}

__device__ __forceinline__ void prepare_lse_shift(const Call& call, i32 kv_row, u32 shared) {
    load_key_mean(call, kv_row, shared);
}
