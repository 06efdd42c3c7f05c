// The mean of a sample of V's rows is subtracted before quantization and added to the output: exact
// for any vector, because probabilities sum to one. It makes scales smaller and takes the bias out
// of the tensor core's sums. Of the sample's mean goes what its own variance explains (James and
// Stein's estimator): subtracting noise would only make the rest larger. Every CTA finds the same
// numbers; values that are not finite count as 0.
//
// Longer heads take more samples, an odd number. What truncation adds is in proportion to what is
// left of the mean, while an output may be as small as 1 / sqrt(len_k) of a value.
__device__ __forceinline__ i32 value_samples_taken(const Call& call) {
    const i32 least = call.len_k < plan::short_value_keys ? 1 : 3;
    const i32 samples = call.len_k / plan::value_sample_keys * 2 + least;
    return samples < plan::most_value_samples ? samples : plan::most_value_samples;
}

__device__ __forceinline__ void add_sample(f32 (&total)[8], f32 (&squares)[8],
                                           const ValueSample& sample) {
#pragma unroll
    for (int read = 0; read < ValueSample::kReads; ++read) {
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            const u16 bits = nth_of_eight(sample.pairs[read], i);
            const f32 value = input_is_finite(bits) ? input_to_f32(bits) : 0.0f;
            total[i] = add_rn(total[i], value);
            squares[i] = fma_rn(value, value, squares[i]);
        }
    }
}

// `sample`: the only one, or the middle one.
__device__ __forceinline__ void find_value_means(const Call& call, i32 kv_row,
                                                 const ValueSample& sample, u32 shared) {
    constexpr u32 kSums = 4 * kQuantWarps * kValueChannels;  // bytes; then as much of squares
    const u32 sums = word_at(shared, kScratchWords);
    f32 total[8] = {}, squares[8] = {};
    add_sample(total, squares, sample);
    const i32 samples = value_samples_taken(call);
    constexpr int kAtOnce = ValueSample::kReads <= 4 ? 2 : 1;  // of the others, which are even
#pragma unroll 1
    for (i32 other = 0; other < samples - 1; other += kAtOnce) {
        ValueSample others[kAtOnce];
#pragma unroll
        for (int i = 0; i < kAtOnce; ++i) {
            const i32 part = other + i < samples / 2 ? other + i : other + i + 1;
            others[i].load(call, call.v, value_base(call, kv_row), value_row(), 8 * value_lane(),
                           kValueChannels, part, samples);
        }
#pragma unroll
        for (int i = 0; i < kAtOnce; ++i) add_sample(total, squares, others[i]);
    }
    add_rows_of_warp<plan::quant_lanes_v>(total);
    add_rows_of_warp<plan::quant_lanes_v>(squares);
    if (quant_lane() < plan::quant_lanes_v && has_channels()) {
        const u32 words = sums + 4 * (quant_warp() * kValueChannels + 8 * value_lane());
        store_eight_f32(words, total);
        store_eight_f32(words + kSums, squares);
    }
    cta_barrier();
#pragma unroll 1
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        f32 all = 0.0f, all_squares = 0.0f;
#pragma unroll
        for (u32 warp = 0; warp < kQuantWarps; ++warp) {
            const u32 word = sums + 4 * (warp * kValueChannels + channel);
            all = add_rn(all, load_shared_f32(word));
            all_squares = add_rn(all_squares, load_shared_f32(word + kSums));
        }
        const f32 count = static_cast<f32>(ValueSample::count(call) * samples);
        const f32 mean = div_rn(all, count);
        const f32 spread = max_f32(fma_rn(-all, mean, all_squares), 0.0f);
        const f32 noise = div_rn(spread, mul_rn(count, count));  // variance of the mean
        // Sums past the range of fp32 give no mean.
        const bool usable = (f32_to_bits(all_squares) & kInfinityBits) != kInfinityBits;
        const bool clear = usable && mul_rn(mean, mean) > noise;
        store_shared_f32(mean_word(shared, channel),
                         clear ? add_rn(mean, -div_rn(noise, mean)) : 0.0f);
    }
    cta_barrier();
}
