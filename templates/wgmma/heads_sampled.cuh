// Heads whose means and factors another launch has found.
__device__ __forceinline__ void wait_for_samples() { grid_dependency_wait(); }

// Nobody has used the head's before since the last tile's barrier.
__device__ __forceinline__ void start_head(const Call& call, i32 kv_row, i32, u32 shared) {
    read_key_mean(call, kv_row, shared);
    const u64 words = static_cast<u64>(kv_row) * kValueChannels;
#pragma unroll 1
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        const f32 mean = call.v_mean[words + channel];
        store_shared_f32(mean_word(shared, channel), mean);
        store_factor(shared, channel, mean,
                     bits_to_f32(inverse_bits(f32_to_bits(call.v_scale[words + channel]))));
    }
    cta_barrier();
}
