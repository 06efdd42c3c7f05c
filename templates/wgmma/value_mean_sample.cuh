// The mean of a sample of V's rows is subtracted before quantization and added to the output: exact
// for any vector, because probabilities sum to one. It makes scales smaller and takes the bias out
// of the tensor core's sums. Every CTA finds the same numbers; values not finite count as 0.
__device__ __forceinline__ void find_value_means(const Call& call, const u16* base, u32 shared) {
    constexpr u32 kHuge = 227u << 23;  // 2^100: subtracting as much could overflow
    const u32 sums = value_scratch(shared);
    const i32 samples = value_samples(call);
    if (has_channels()) {
        f32 total[8] = {};
#pragma unroll 4
        for (i32 sample = value_row(); sample < samples; sample += kValueRows) {
            u32 pairs[4];
            load_value(pairs, call, base, sampled_token(call, sample, samples));
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                const u16 bits = nth_of_eight(pairs, i);
                if (input_is_finite(bits)) total[i] = add_rn(total[i], input_to_f32(bits));
            }
        }
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            store_shared_f32(sums + 4 * (value_row() * kValueChannels + 8 * value_lane() + i),
                             total[i]);
        }
    }
    cta_barrier();
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        f32 total = 0.0f;
#pragma unroll 4
        for (u32 i = 0; i < kValueRows; ++i) {
            total = add_rn(total, load_shared_f32(sums + 4 * (i * kValueChannels + channel)));
        }
        const f32 mean = div_rn(total, static_cast<f32>(samples));
        const bool usable = (f32_to_bits(mean) & 0x7FFFFFFFu) < kHuge;
        store_shared_f32(mean_word(shared, channel), usable ? mean : 0.0f);
    }
}
