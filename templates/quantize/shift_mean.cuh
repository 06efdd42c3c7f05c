// K's channel mean (of its finite values, over len_k) is subtracted before quantization. Every
// CTA sums the chunks of its head in the same order, so all agree bit for bit.
__device__ __forceinline__ void load_key_mean(const Call& call, i32 kv_row, u32 shared) {
    constexpr u32 kWords = plan::head_dim_padded;
    const f32* source = call.k_sum + static_cast<u64>(kv_row) * call.chunks * kWords;
    for (u32 channel = thread_index(); channel < kWords; channel += plan::quant_threads) {
        f32 total = 0.0f;
#pragma unroll 4
        for (i32 chunk = 0; chunk < call.chunks; ++chunk) {
            total = add_rn(total, source[chunk * kWords + channel]);
        }
        // A sum past the range of fp32 gives no mean; any shift is exact, so take none.
        const bool usable = call.len_k > 0 && (f32_to_bits(total) & kInfinityBits) != kInfinityBits;
        store_shared_f32(shared + 4 * channel,
                         usable ? div_rn(total, static_cast<f32>(call.len_k)) : 0.0f);
    }
    cta_barrier();
}
__device__ __forceinline__ f32 key_mean(u32 shared, u32 channel) {
    return load_shared_f32(shared + 4 * channel);
}
