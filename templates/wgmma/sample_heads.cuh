// Means of K and V and factors of V, for the launch that quantizes: what only a sample decides is
// found once, and not by each CTA that takes tiles of a head. Two CTAs a head: keys, and values.
__device__ __forceinline__ void sample_keys(const Call& call, i32 kv_row, u32 shared) {
    KeySample keys;
    load_key_sample(keys, call, kv_row);
    find_key_mean(call, keys, shared,
                  call.k_mean + static_cast<u64>(kv_row) * plan::head_dim_padded);
}

__device__ __forceinline__ void sample_values(const Call& call, i32 kv_row, u32 shared) {
    if (thread_index() < 2) call.v_notes[2 * kv_row + thread_index()] = 0;
    ValueSample values;
    values.load(call, call.v, value_base(call, kv_row), value_row(), 8 * value_lane(),
                kValueChannels);
    clear_factors(shared);
    find_value_means(call, kv_row, values, shared);
    f32 mean[8] = {};
    u32 largest[8] = {};
    if (has_channels()) load_eight_f32(mean, mean_word(shared, 8 * value_lane()));
#pragma unroll
    for (int read = 0; read < ValueSample::kReads; ++read) {
        if (ValueSample::index(read, value_row()) < ValueSample::count(call)) {
            raise_largest(largest, values.pairs[read], mean);
        }
    }
    mark_largest(largest, shared);
    const u64 words = static_cast<u64>(kv_row) * kValueChannels;
    choose_factors(shared, kSampleTop, call.v_scale + words);
#pragma unroll 1
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        call.v_mean[words + channel] = load_shared_f32(mean_word(shared, channel));
        call.v_residue[words + channel] = 0;
        call.v_first_bad[words + channel] = kNoBadKey;
    }
}

extern "C" __global__ void __launch_bounds__(plan::quant_threads)
    sample(const __grid_constant__ Call call) {
    grid_dependency_launch();
    const i32 kv_row = static_cast<i32>(cta_index() / 2);
    if (cta_index() % 2 == 0) {
        sample_keys(call, kv_row, shared_base());
    } else {
        sample_values(call, kv_row, shared_base());
    }
}
