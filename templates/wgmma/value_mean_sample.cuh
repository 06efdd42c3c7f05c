// The mean of a sample of V's rows is subtracted before quantization and added to the output: exact
// for any vector, because probabilities sum to one. It makes scales smaller and takes the bias out
// of the tensor core's sums. Of the sample's mean goes what its own variance explains (James and
// Stein's estimator): subtracting noise would only make the rest larger. Every CTA finds the same
// numbers; values that are not finite count as 0.
__device__ __forceinline__ void find_value_means(const Call& call, const u16* base, u32 shared) {
    constexpr u32 kSums = 4 * kValueRows * kValueChannels;  // bytes; then as much of squares
    const u32 sums = value_scratch(shared);
    const i32 samples = value_samples(call);
    if (has_channels()) {
        f32 total[8] = {}, squares[8] = {};
#pragma unroll 4
        for (i32 sample = value_row(); sample < samples; sample += kValueRows) {
            u32 pairs[4];
            load_value(pairs, call, base, sampled_token(call, sample, samples));
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                const u16 bits = nth_of_eight(pairs, i);
                const f32 value = input_is_finite(bits) ? input_to_f32(bits) : 0.0f;
                total[i] = add_rn(total[i], value);
                squares[i] = fma_rn(value, value, squares[i]);
            }
        }
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            const u32 word = sums + 4 * (value_row() * kValueChannels + 8 * value_lane() + i);
            store_shared_f32(word, total[i]);
            store_shared_f32(word + kSums, squares[i]);
        }
    }
    cta_barrier();
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        f32 total = 0.0f, squares = 0.0f;
#pragma unroll 4
        for (u32 i = 0; i < kValueRows; ++i) {
            const u32 word = sums + 4 * (i * kValueChannels + channel);
            total = add_rn(total, load_shared_f32(word));
            squares = add_rn(squares, load_shared_f32(word + kSums));
        }
        const f32 count = static_cast<f32>(samples);
        const f32 mean = div_rn(total, count);
        const f32 spread = max_f32(fma_rn(-total, mean, squares), 0.0f);
        const f32 noise = div_rn(spread, mul_rn(count, count));  // variance of the mean
        // False where sums passed the range of fp32 as well.
        const bool clear = mul_rn(mean, mean) > noise;
        store_shared_f32(mean_word(shared, channel),
                         clear ? add_rn(mean, -div_rn(noise, mean)) : 0.0f);
    }
}
