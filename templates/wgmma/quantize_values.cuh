// V to e4m3, less its channel's mean, with a power of two per channel as its scale. The numbers of
// a sample choose it, with room for numbers 28 times as large: what e4m3 gives away at the lower
// end is below 2^-13 of the sample's largest. A tile that holds a larger number, or NaN or Inf,
// leaves a note, and the next kernel settles it.
constexpr int kSampleTop = 3;              // the sample's largest number comes into [2^3, 2^4)
constexpr int kExactTop = 7;               // the very largest into [2^7, 2^8)
constexpr u32 kLargestE4m3 = 0x43E00000u;  // 448, as the bits of a float
enum Note { kSaturated = 1, kNotFinite = 2 };

__device__ __forceinline__ u32 scale_of_factor(u32 factor) { return (254u << 23) - factor; }

// Of what remains of the finite values of `count` tokens: raises each channel's largest magnitude.
template <class TokenOf>
__device__ __forceinline__ void raise_magnitudes(const Call& call, const u16* base, u32 shared,
                                                 i32 count, const TokenOf& token_of) {
    f32 mean[8];
    load_channels(mean, shared, mean_word);
    u32 largest[8] = {};
    if (has_channels()) {
#pragma unroll 4
        for (i32 i = value_row(); i < count; i += kValueRows) {
            u32 pairs[4];
            load_value(pairs, call, base, token_of(i));
#pragma unroll
            for (int j = 0; j < 8; ++j) {
                const u16 bits = nth_of_eight(pairs, j);
                const f32 rest = add_rn(input_to_f32(bits), -mean[j]);
                const u32 magnitude = f32_to_bits(rest) & 0x7FFFFFFFu;
                if (input_is_finite(bits) && magnitude > largest[j]) largest[j] = magnitude;
            }
        }
#pragma unroll
        for (int j = 0; j < 8; ++j) {
            atomic_max_shared(factor_word(shared, 8 * value_lane() + j), largest[j]);
        }
    }
    cta_barrier();
}

// Turns largest magnitudes into the powers of two that bring them to [2^top, 2^(top + 1)), where
// the inverse is a normal number too. For a largest of 0 nothing but 0 will do: notes say so.
__device__ __forceinline__ void choose_factors(u32 shared, int top) {
    constexpr u32 kMost = 253;
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        const u32 largest = load_shared_u32(factor_word(shared, channel));
        u32 exponent = 254 + static_cast<u32>(top) - (largest >> 23);
        if (exponent > kMost || largest == 0) exponent = kMost;
        store_shared_u32(factor_word(shared, channel), exponent << 23);
    }
    cta_barrier();
}

// A word of the transposed tile holds four tokens of a channel, in the order in which a lane of the
// attention kernel holds their probabilities: 2 q, 2 q + 1, 2 q + 8, 2 q + 9 of 16 tokens.
constexpr u32 kValueWords = plan::tile_k / 4;
__device__ __forceinline__ u32 token_of_word(u32 word, u32 i) {
    return word / 4 * 16 + word % 4 * 2 + i / 2 * 8 + i % 2;
}
// Where it lies in scratch: few threads of a warp meet in a bank, either way through.
__device__ __forceinline__ u32 transposed_word(u32 shared, u32 channel, u32 word) {
    const u32 i = channel % 8;
    const u32 lane = (channel / 8 + i + word / 4 % 2 * 8) % plan::quant_lanes_v;
    return value_scratch(shared) + 4 * ((i * kValueWords + word) * plan::quant_lanes_v + lane);
}

// Quantizes four tokens of eight channels into scratch.
__device__ __forceinline__ void quantize_word(const Call& call, const u16* base, u32 shared,
                                              i32 first, u32 word, const f32 (&mean)[8],
                                              const f32 (&factor)[8], bool& saturated,
                                              bool& nonfinite) {
    u32 pairs[4][4];
    bool inside[4];
#pragma unroll
    for (int t = 0; t < 4; ++t) {
        const i32 token = first + static_cast<i32>(token_of_word(word, t));
        inside[t] = token < call.len_k;
#pragma unroll
        for (int i = 0; i < 4; ++i) pairs[t][i] = 0;
        if (inside[t]) load_value(pairs[t], call, base, token);
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) {
        f32 scaled[4];
#pragma unroll
        for (int t = 0; t < 4; ++t) {
            const u16 bits = nth_of_eight(pairs[t], i);
            const bool finite = input_is_finite(bits);
            scaled[t] = mul_rn(add_rn(input_to_f32(bits), -mean[i]), factor[i]);
            if (!inside[t] || !finite) scaled[t] = 0.0f;
            saturated |= (f32_to_bits(scaled[t]) & 0x7FFFFFFFu) > kLargestE4m3;
            nonfinite |= !finite;
        }
        store_shared_u32(transposed_word(shared, 8 * value_lane() + i, word),
                         f32_to_e4m3x4(scaled[0], scaled[1], scaled[2], scaled[3]));
    }
}

// One tile, as it will lie in shared memory: a row a channel, tokens in swizzled panels.
__device__ __forceinline__ void quantize_value_tile(const Call& call, i32 kv_row, i32 tile_index,
                                                    const u16* base, u32 shared) {
    const i32 first = tile_index * plan::tile_k;
    f32 mean[8], factor[8];
    load_channels(mean, shared, mean_word);
    load_channels(factor, shared, factor_word);
    bool saturated = false, nonfinite = false;
    if (has_channels()) {
        for (u32 word = value_row(); word < kValueWords; word += kValueRows) {
            quantize_word(call, base, shared, first, word, mean, factor, saturated, nonfinite);
        }
    }
    if (saturated) atomic_max_shared(saturated_word(shared), 1);
    if (nonfinite) atomic_max_shared(nonfinite_word(shared), 1);
    cta_barrier();
    constexpr u32 kChunks = kValuePanelBytes / 16;  // of a row of a panel
    u8* destination =
        call.v_work + (static_cast<u64>(kv_row) * call.k_tiles + tile_index) * kValueTileBytes;
    for (u32 i = thread_index(); i < kValueTileBytes / 16; i += plan::quant_threads) {
        const u32 channel = i / kChunks % kValueChannels;
        const u32 chunk = i % kChunks ^ channel / (8 / kChunks) % kChunks;
        const u32 word = 4 * (i / (kChunks * kValueChannels) * kChunks + chunk);
        u32 words[4];
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            words[j] = load_shared_u32(transposed_word(shared, channel, word + j));
        }
        store_global_u32x4(destination + 16 * i, words);
    }
}

__device__ __forceinline__ void clear_value_words(u32 shared) {
    for (u32 i = thread_index(); i < kValueChannels + 4; i += plan::quant_threads) {
        store_shared_u32(factor_word(shared, i), 0);
    }
}

__device__ __forceinline__ void prepare_values(const Call& call, i32 kv_row, i32 tile_index,
                                               u32 shared) {
    const u16* base = value_base(call, kv_row);
    const i32 samples = value_samples(call);
    cta_barrier();  // the keys are through with shared memory
    clear_value_words(shared);
    find_value_means(call, base, shared);
    cta_barrier();
    raise_magnitudes(call, base, shared, samples,
                     [&](i32 i) { return sampled_token(call, i, samples); });
    choose_factors(shared, kSampleTop);
    quantize_value_tile(call, kv_row, tile_index, base, shared);
    if (thread_index() == 0) {
        call.v_notes[static_cast<u64>(kv_row) * call.k_tiles + tile_index] =
            static_cast<i32>(load_shared_u32(saturated_word(shared)) * kSaturated +
                             load_shared_u32(nonfinite_word(shared)) * kNotFinite);
    }
    if (tile_index != 0) return;
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        const u64 index = static_cast<u64>(kv_row) * kValueChannels + channel;
        call.v_mean[index] = load_shared_f32(mean_word(shared, channel));
        call.v_scale[index] =
            bits_to_f32(scale_of_factor(load_shared_u32(factor_word(shared, channel))));
        call.v_first_bad[index] = kNoBadKey;
    }
}
