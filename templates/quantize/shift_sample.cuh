// The mean of a sample of K's rows is subtracted before quantization: any vector is exact, and a
// sample removes the shared bias without a pass over K. Every CTA reads the same rows and adds
// them in the same order, so all agree bit for bit; values that are not finite count as 0.
__device__ __forceinline__ i32 sample_count(const Call& call) {
    return call.len_k < plan::mean_samples ? call.len_k : plan::mean_samples;
}

__device__ __forceinline__ void load_key_mean(const Call& call, i32 kv_row, u32 shared) {
    constexpr int kRows = plan::quant_threads / plan::quant_lanes;
    constexpr u32 kWords = plan::head_dim_padded;
    const u32 sums = shared + 4 * kWords;
    const u32 lane = thread_index() % plan::quant_lanes;
    const i32 row = thread_index() / plan::quant_lanes;
    const i32 samples = sample_count(call);
    const u16* base = head_base(call.k, kv_row / call.heads_kv, kv_row % call.heads_kv);
    if (lane * 8 < plan::head_dim_padded) {
        f32 total[8] = {};
#pragma unroll 4
        for (i32 sample = row; sample < samples; sample += kRows) {
            u32 pairs[4] = {0, 0, 0, 0};
            if (lane * 8 < plan::head_dim) {
                const u32 token = sampled_token(call, sample, samples);
                load_eight(pairs, base + token_offset(call.k, token) + 8 * lane,
                           call.k.vector_access != 0);
            }
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                const u16 bits = nth_of_eight(pairs, i);
                if (input_is_finite(bits)) total[i] = add_rn(total[i], input_to_f32(bits));
            }
        }
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            store_shared_f32(sums + 4 * (row * kWords + 8 * lane + i), total[i]);
        }
    }
    cta_barrier();
    for (u32 channel = thread_index(); channel < kWords; channel += plan::quant_threads) {
        f32 total = 0.0f;
#pragma unroll 4
        for (i32 i = 0; i < kRows; ++i) {
            total = add_rn(total, load_shared_f32(sums + 4 * (i * kWords + channel)));
        }
        // A sum past the range of fp32 gives no mean.
        const bool usable = samples > 0 && (f32_to_bits(total) & kInfinityBits) != kInfinityBits;
        const f32 mean = usable ? div_rn(total, static_cast<f32>(samples)) : 0.0f;
        store_shared_f32(shared + 4 * channel, mean);
    }
    cta_barrier();
}
__device__ __forceinline__ f32 key_mean(u32 shared, u32 channel) {
    return load_shared_f32(shared + 4 * channel);
}
