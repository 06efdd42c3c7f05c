// Nothing is subtracted from V.
__device__ __forceinline__ void find_value_means(const Call&, const u16*, u32 shared) {
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        store_shared_f32(mean_word(shared, channel), 0.0f);
    }
}
