// Settles what notes say about a head's V: where it held a number too large for the sample's scale,
// it is quantized again, with scales from all of its values; where it held NaN or Inf, the first
// such key of each channel is found.
// Calls use(pairs, token) with this thread's channels of every token that is its.
template <class Use>
__device__ __forceinline__ void for_values(const Call& call, const u16* base, const Use& use) {
    if (!has_channels()) return;
#pragma unroll 2
    for (i32 token = value_row(); token < call.len_k; token += kValueRows) {
        u32 pairs[4];
        load_eight(pairs, base + token_offset(call.v, token) + 8 * value_lane(),
                   call.v.vector_access != 0);
        use(pairs, token);
    }
}

// The first key with NaN or Inf of each channel, kept as its distance from kNoBadKey so that a
// maximum finds it.
__device__ __forceinline__ void find_bad_keys(const Call& call, i32 kv_row, const u16* base,
                                              u32 shared) {
    const u32 words = word_at(shared, kScratchWords);
#pragma unroll 1
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        store_shared_u32(words + 4 * channel, 0);
    }
    cta_barrier();
    i32 first[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) first[i] = kNoBadKey;
    for_values(call, base, [&first](const u32(&pairs)[4], i32 token) {
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            if (!input_is_finite(nth_of_eight(pairs, i)) && token < first[i]) first[i] = token;
        }
    });
    if (has_channels()) {
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            atomic_max_shared(words + 4 * (8 * value_lane() + i),
                              static_cast<u32>(kNoBadKey - first[i]));
        }
    }
    cta_barrier();
#pragma unroll 1
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        call.v_first_bad[static_cast<u64>(kv_row) * kValueChannels + channel] =
            kNoBadKey - static_cast<i32>(load_shared_u32(words + 4 * channel));
    }
    cta_barrier();
}

__device__ __forceinline__ void quantize_again(const Call& call, i32 kv_row, const u16* base,
                                               u32 shared) {
    clear_factors(shared);
    cta_barrier();
    f32 mean[8] = {};
    u32 largest[8] = {};
    if (has_channels()) load_eight_f32(mean, mean_word(shared, 8 * value_lane()));
    for_values(call, base, [&](const u32(&pairs)[4], i32) { raise_largest(largest, pairs, mean); });
    mark_largest(largest, shared);
    const u64 words = static_cast<u64>(kv_row) * kValueChannels;
#pragma unroll 1
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        call.v_residue[words + channel] = 0;
    }
    choose_factors(shared, kExactTop, call.v_scale + words);
#pragma unroll 1
    for (i32 tile = 0; tile < call.k_tiles; ++tile) prepare_values(call, kv_row, tile, shared);
}

__device__ __forceinline__ void settle_head(const Call& call, i32 kv_row, u32 notes, u32 shared) {
    const u16* base = value_base(call, kv_row);
    start_head(call, kv_row, 0, shared);
    if ((notes & kNotFinite) != 0) find_bad_keys(call, kv_row, base, shared);
    if ((notes & kSaturated) != 0) quantize_again(call, kv_row, base, shared);
    cta_barrier();
}
