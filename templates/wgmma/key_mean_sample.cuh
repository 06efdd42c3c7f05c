// The mean of a sample of K's rows is subtracted before quantization: any vector is exact, and a
// sample removes the shared bias without a pass over K. Every CTA reads the same rows and adds
// them in the same order, so all agree bit for bit; values that are not finite count as 0.
using KeySample = Sample<plan::mean_samples, kKeyRows>;

__device__ __forceinline__ void load_key_sample(KeySample& sample, const Call& call, i32 kv_row) {
    sample.load(call, call.k, key_base(call, kv_row), key_row(), 8 * key_lane(), plan::head_dim);
}

// Leaves the mean in shared memory; the head's first tile keeps it for lse.
__device__ __forceinline__ void find_key_mean(const Call& call, const KeySample& sample, u32 shared,
                                              f32* kept) {
    constexpr u32 kWords = plan::head_dim_padded;
    const u32 sums = word_at(shared, kScratchWords);
    f32 total[8] = {};
#pragma unroll
    for (int read = 0; read < KeySample::kReads; ++read) {
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            const u16 bits = nth_of_eight(sample.pairs[read], i);
            total[i] = add_rn(total[i], input_is_finite(bits) ? input_to_f32(bits) : 0.0f);
        }
    }
    add_rows_of_warp<plan::quant_lanes>(total);
    if (quant_lane() < plan::quant_lanes && 8 * key_lane() < kWords) {
        store_eight_f32(sums + 4 * (quant_warp() * kWords + 8 * key_lane()), total);
    }
    cta_barrier();
#pragma unroll 1
    for (u32 channel = thread_index(); channel < kWords; channel += plan::quant_threads) {
        f32 all = 0.0f;
#pragma unroll
        for (u32 warp = 0; warp < kQuantWarps; ++warp) {
            all = add_rn(all, load_shared_f32(sums + 4 * (warp * kWords + channel)));
        }
        // A sum past the range of fp32 gives no mean.
        const bool usable = (f32_to_bits(all) & kInfinityBits) != kInfinityBits;
        const f32 mean = usable ? div_rn(all, static_cast<f32>(KeySample::count(call))) : 0.0f;
        store_shared_f32(word_at(shared, kKeyMeans + channel), mean);
        if (kept != nullptr) kept[channel] = mean;
    }
    cta_barrier();
}

// As found by an earlier launch.
__device__ __forceinline__ void read_key_mean(const Call& call, i32 kv_row, u32 shared) {
    const f32* mean = call.k_mean + static_cast<u64>(kv_row) * plan::head_dim_padded;
#pragma unroll 1
    for (u32 channel = thread_index(); channel < plan::head_dim_padded;
         channel += plan::quant_threads) {
        store_shared_f32(word_at(shared, kKeyMeans + channel), mean[channel]);
    }
}

__device__ __forceinline__ void load_key_means(f32 (&mean)[8], u32 shared) {
    constexpr bool kAll = 8 * plan::quant_lanes == plan::head_dim_padded;
#pragma unroll
    for (int i = 0; i < 8; ++i) mean[i] = 0.0f;
    if (kAll || 8 * key_lane() < plan::head_dim_padded) {
        load_eight_f32(mean, word_at(shared, kKeyMeans + 8 * key_lane()));
    }
}
