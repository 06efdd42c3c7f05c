// Settles what notes say about V: where a tile held a number too large for the sample's scale, the
// head is quantized again, with scales from all of its values; where it held NaN or Inf, the first
// such key of each channel is found. Without notes there is nothing to do.

// Tiles whose notes are read, and quantized, by one CTA are that many apart: its part of a head.
constexpr u32 kSettleParts = plan::settle_parts;

// Whether the head's notes say so; the same for the whole CTA.
__device__ __forceinline__ void read_notes(const Call& call, i32 kv_row, u32 shared) {
    const i32* notes = call.v_notes + static_cast<u64>(kv_row) * call.k_tiles;
    i32 found = 0;
    for (i32 tile = thread_index(); tile < call.k_tiles; tile += plan::quant_threads) {
        found |= notes[tile];
    }
    if ((found & kSaturated) != 0) atomic_max_shared(saturated_word(shared), 1);
    if ((found & kNotFinite) != 0) atomic_max_shared(nonfinite_word(shared), 1);
    cta_barrier();
}

// The first key with NaN or Inf of each channel, kept as its distance from kNoBadKey so that a
// maximum finds it.
__device__ __forceinline__ void find_bad_keys(const Call& call, i32 kv_row, const u16* base,
                                              u32 shared) {
    const u32 words = value_scratch(shared);
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        store_shared_u32(words + 4 * channel, 0);
    }
    cta_barrier();
    if (has_channels()) {
        i32 first[8];
#pragma unroll
        for (int i = 0; i < 8; ++i) first[i] = kNoBadKey;
        for (i32 token = value_row(); token < call.len_k; token += kValueRows) {
            u32 pairs[4];
            load_value(pairs, call, base, token);
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                if (!input_is_finite(nth_of_eight(pairs, i)) && token < first[i]) first[i] = token;
            }
        }
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            atomic_max_shared(words + 4 * (8 * value_lane() + i),
                              static_cast<u32>(kNoBadKey - first[i]));
        }
    }
    cta_barrier();
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        call.v_first_bad[static_cast<u64>(kv_row) * kValueChannels + channel] =
            kNoBadKey - static_cast<i32>(load_shared_u32(words + 4 * channel));
    }
    cta_barrier();
}

__device__ __forceinline__ void quantize_again(const Call& call, i32 kv_row, u32 part,
                                               const u16* base, u32 shared) {
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        store_shared_f32(mean_word(shared, channel),
                         call.v_mean[static_cast<u64>(kv_row) * kValueChannels + channel]);
    }
    cta_barrier();
    raise_magnitudes(call, base, shared, call.len_k, [](i32 token) { return token; });
    choose_factors(shared, kExactTop);
    for (i32 tile = part; tile < call.k_tiles; tile += kSettleParts) {
        quantize_value_tile(call, kv_row, tile, base, shared);
        cta_barrier();
    }
    if (part != 0) return;
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        call.v_scale[static_cast<u64>(kv_row) * kValueChannels + channel] =
            bits_to_f32(scale_of_factor(load_shared_u32(factor_word(shared, channel))));
    }
}

extern "C" __global__ void __launch_bounds__(plan::quant_threads)
    settle_values(const __grid_constant__ Call call) {
    grid_dependency_launch();
    const u32 shared = shared_base();
    const i32 kv_row = static_cast<i32>(cta_index() / kSettleParts);
    const u32 part = cta_index() % kSettleParts;
    clear_value_words(shared);
    cta_barrier();
    grid_dependency_wait();
    read_notes(call, kv_row, shared);
    const u16* base = value_base(call, kv_row);
    const bool saturated = load_shared_u32(saturated_word(shared)) != 0;
    if (part == 0 && load_shared_u32(nonfinite_word(shared)) != 0) {
        find_bad_keys(call, kv_row, base, shared);
    }
    if (saturated) quantize_again(call, kv_row, part, base, shared);
}
