// The mean of a sample of V's rows is subtracted before quantization and added to the output: exact
// for any vector, because probabilities sum to one. It makes scales smaller and takes the bias out
// of the tensor core's sums. Of the sample's mean goes what its own variance explains (James and
// Stein's estimator): subtracting noise would only make the rest larger. Every CTA finds the same
// numbers; values that are not finite count as 0.
__device__ __forceinline__ void find_value_means(const Call& call, const ValueSample& sample,
                                                 u32 shared) {
    constexpr u32 kSums = 4 * kQuantWarps * kValueChannels;  // bytes; then as much of squares
    const u32 sums = word_at(shared, kScratchWords);
    f32 total[8] = {}, squares[8] = {};
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
        const f32 count = static_cast<f32>(ValueSample::count(call));
        const f32 mean = div_rn(all, count);
        const f32 spread = max_f32(fma_rn(-all, mean, all_squares), 0.0f);
        const f32 noise = div_rn(spread, mul_rn(count, count));  // variance of the mean
        // False where sums passed the range of fp32 as well.
        const bool clear = mul_rn(mean, mean) > noise;
        store_shared_f32(mean_word(shared, channel),
                         clear ? add_rn(mean, -div_rn(noise, mean)) : 0.0f);
    }
    cta_barrier();
}
