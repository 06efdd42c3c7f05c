// Nothing is subtracted from V.
__device__ __forceinline__ void find_value_means(const Call&, i32, const ValueSample&, u32 shared) {
#pragma unroll 1
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        store_shared_f32(mean_word(shared, channel), 0.0f);
    }
    cta_barrier();
}
