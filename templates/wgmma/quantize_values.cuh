// V to e4m3, less its channel's mean, with a power of two per channel as its scale. The numbers of
// a sample choose it, with room for numbers 28 times as large: what e4m3 gives away at the lower
// end is below 2^-13 of the sample's largest. A tile that holds a larger number, or NaN or Inf,
// leaves a note, and the next kernel settles it.
constexpr bool kKeysFirst = false;         // whether keys are read ahead of a head's means
constexpr int kSampleTop = 3;              // the sample's largest number comes into [2^3, 2^4)
constexpr int kExactTop = 7;               // the very largest into [2^7, 2^8)
constexpr u32 kLargestE4m3 = 0x43E00000u;  // 448, as the bits of a float
enum Note { kSaturated = 1, kNotFinite = 2 };

__device__ __forceinline__ u32 scale_of_factor(u32 factor) { return (254u << 23) - factor; }

// Largest magnitudes of what remains of the finite values of eight channels.
__device__ __forceinline__ void raise_largest(u32 (&largest)[8], const u32 (&pairs)[4],
                                              const f32 (&mean)[8]) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
        const u16 bits = nth_of_eight(pairs, i);
        const u32 magnitude = f32_to_bits(add_rn(input_to_f32(bits), -mean[i])) & 0x7FFFFFFFu;
        if (input_is_finite(bits) && magnitude > largest[i]) largest[i] = magnitude;
    }
}

// Where a warp's lanes hold largest magnitudes of channels: raises the factors' words to them.
__device__ __forceinline__ void mark_largest(u32 (&largest)[8], u32 shared) {
#pragma unroll
    for (int step = plan::quant_lanes_v; step < static_cast<int>(kWarpLanes); step *= 2) {
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            const u32 other = shuffle_xor_u32(largest[i], step);
            largest[i] = other > largest[i] ? other : largest[i];
        }
    }
    if (quant_lane() < plan::quant_lanes_v && has_channels()) {
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            atomic_max_shared(factor_word(shared, 8 * value_lane() + i), largest[i]);
        }
    }
    cta_barrier();
}

// Turns largest magnitudes into the powers of two that bring them to [2^top, 2^(top + 1)), where
// the inverse is a normal number too. For a largest of 0 nothing but 0 will do: notes say so.
// kept: where the scales go; may be null.
__device__ __forceinline__ void choose_factors(u32 shared, int top, f32* kept) {
    constexpr u32 kMost = 253;
#pragma unroll 1
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        const u32 largest = load_shared_u32(factor_word(shared, channel));
        u32 exponent = 254 + static_cast<u32>(top) - (largest >> 23);
        if (exponent > kMost || largest == 0) exponent = kMost;
        const f32 factor = bits_to_f32(exponent << 23);
        store_shared_f32(factor_word(shared, channel), factor);
        store_shared_f32(offset_word(shared, channel),
                         mul_rn(-load_shared_f32(mean_word(shared, channel)), factor));
        if (kept != nullptr) kept[channel] = bits_to_f32(scale_of_factor(exponent << 23));
    }
    cta_barrier();
}

__device__ __forceinline__ void clear_factors(u32 shared) {
#pragma unroll 1
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        store_shared_u32(factor_word(shared, channel), 0);
    }
}

// A unit: 32 tokens of 32 channels. A lane takes four tokens of eight channels: those whose
// probabilities one lane of the attention kernel holds, 2 q, 2 q + 1, 2 q + 8, 2 q + 9 of 16
// tokens. So it makes one word of each channel; scratch of the warp turns them round.
constexpr u32 kUnitTokens = 32;
constexpr u32 kUnitChannels = 32;
constexpr u32 kUnitColumns = divide_up(plan::head_dim_v, kUnitChannels);
constexpr u32 kUnits = plan::tile_k / kUnitTokens * kUnitColumns;
// Words: eight a channel, and eight more after eight channels, so that lanes meet in no bank.
constexpr u32 kUnitWords = 9 * kUnitChannels;

__device__ __forceinline__ u32 unit_word(u32 channel, u32 word) {
    return channel * 8 + channel / 8 * 8 + word;
}

struct UnitLane {
    i32 token;    // of the head: the first of this lane's four
    u32 channel;  // of the head: the first of its eight
    __device__ __forceinline__ i32 token_of(int t) const { return token + t / 2 * 8 + t % 2; }
};

// Four tokens of eight channels to scratch. Returns whether one may be too large, or not finite.
// Scaling by a power of two is exact, so that one rounding serves mean and scale; where the
// product of both is too large for a float, the result says so.
__device__ __forceinline__ bool round_values(const u32 (&pairs)[4][4], u32 shared, u32 channel,
                                             u32 words) {
    u32 ends = 0;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        u32 factor[4], offset[4];
        load_shared_u32x4(factor, factor_word(shared, channel + 4 * half));
        load_shared_u32x4(offset, offset_word(shared, channel + 4 * half));
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            f32 scaled[4];
#pragma unroll
            for (int t = 0; t < 4; ++t) {
                scaled[t] = fma_rn(input_to_f32(nth_of_eight(pairs[t], 4 * half + i)),
                                   bits_to_f32(factor[i]), bits_to_f32(offset[i]));
            }
            const u32 word = f32_to_e4m3x4(scaled[0], scaled[1], scaled[2], scaled[3]);
            // Sets a byte's upper bit where it is the largest magnitude or NaN.
            ends |= (word & 0x7F7F7F7Fu) + 0x02020202u;
            store_shared_u32(words + 4 * unit_word(4 * half + i, 0), word);
        }
    }
    return (ends & 0x80808080u) != 0;
}

// The same where something is unusual: of what is not finite, and of tokens that are not there,
// nothing remains. Marks say what there was.
__device__ __forceinline__ void round_unusual(const u32 (&pairs)[4][4], u32 shared, UnitLane lane,
                                              i32 len_k, u32 words, u32 marks) {
    bool saturated = false, nonfinite = false;
#pragma unroll 1
    for (int i = 0; i < 8; ++i) {
        const f32 mean = load_shared_f32(mean_word(shared, lane.channel + i));
        const f32 factor = load_shared_f32(factor_word(shared, lane.channel + i));
        f32 scaled[4];
#pragma unroll
        for (int t = 0; t < 4; ++t) {
            u16 bits = 0;  // of channel i: registers have no index
#pragma unroll
            for (int j = 0; j < 8; ++j) {
                if (j == i) bits = nth_of_eight(pairs[t], j);
            }
            const bool finite = input_is_finite(bits);
            scaled[t] = mul_rn(add_rn(input_to_f32(bits), -mean), factor);
            if (!finite || lane.token_of(t) >= len_k) scaled[t] = 0.0f;
            saturated |= (f32_to_bits(scaled[t]) & 0x7FFFFFFFu) > kLargestE4m3;
            nonfinite |= !finite;
        }
        store_shared_u32(words + 4 * unit_word(i, 0),
                         f32_to_e4m3x4(scaled[0], scaled[1], scaled[2], scaled[3]));
    }
    if (saturated) atomic_max_shared(marks + 4 * kSaturatedMark, 1);
    if (nonfinite) atomic_max_shared(marks + 4 * kNonfiniteMark, 1);
}

// Zeros where there is no token, or none of `len` at all.
__device__ __forceinline__ void load_unit(u32 (&pairs)[4][4], const Call& call, const u16* base,
                                          UnitLane lane, i32 len) {
#pragma unroll
    for (int t = 0; t < 4; ++t) {
#pragma unroll
        for (int i = 0; i < 4; ++i) pairs[t][i] = 0;
    }
    const auto source = [&](int t) {
        return base + token_offset(call.v, lane.token_of(t)) + lane.channel;
    };
    if (call.v.vector_access != 0) {
#pragma unroll
        for (int t = 0; t < 4; ++t) {
            if (lane.token_of(t) < len) load_global_u32x4(pairs[t], source(t));
        }
    } else {
#pragma unroll
        for (int t = 0; t < 4; ++t) {
            if (lane.token_of(t) < len) load_eight(pairs[t], source(t), false);
        }
    }
}

__device__ __forceinline__ void quantize_unit(const Call& call, const u16* base, u32 shared,
                                              u32 unit, i32 first, u8* destination, u32 marks) {
    const u32 scratch = word_at(shared, kScratchWords + quant_warp() * kUnitWords);
    const u32 own_channel = quant_lane() / 8 * 8;
    const u32 own_word = quant_lane() % 8;  // four of each 16 tokens
    const u32 first_channel = unit % kUnitColumns * kUnitChannels;
    const u32 tokens = unit / kUnitColumns * kUnitTokens;
    const UnitLane lane = {first + static_cast<i32>(tokens + own_word / 4 * 16 + own_word % 4 * 2),
                           first_channel + own_channel};
    const bool inside = kValueChannels % kUnitChannels == 0 || lane.channel < kValueChannels;
    u32 pairs[4][4];
    load_unit(pairs, call, base, lane, inside ? call.len_k : 0);
    const u32 words = scratch + 4 * unit_word(own_channel, own_word);
    bool unusual = inside && lane.token_of(3) >= call.len_k;
    if (inside) unusual |= round_values(pairs, shared, lane.channel, words);
    if (unusual) round_unusual(pairs, shared, lane, call.len_k, words, marks);
    warp_barrier();
    constexpr u32 kChunks = kValuePanelBytes / 16;  // of a row of a panel
#pragma unroll
    for (u32 piece = quant_lane(); piece < 2 * kUnitChannels; piece += kWarpLanes) {
        const u32 channel = first_channel + piece / 2;
        const u32 chunk = tokens / 16 + piece % 2;
        u32 four[4];
        load_shared_u32x4(four, scratch + 4 * unit_word(piece / 2, piece % 2 * 4));
        if (kValueChannels % kUnitChannels != 0 && channel >= kValueChannels) continue;
        store_global_u32x4(destination + chunk / kChunks * (kValueChannels * kValuePanelBytes) +
                               panel_offset<kValuePanelBytes>(channel, chunk % kChunks * 16),
                           four);
    }
    warp_barrier();
}

// One tile, as it will lie in shared memory: a row a channel, tokens in swizzled panels.
__device__ __forceinline__ void quantize_value_tile(const Call& call, i32 kv_row, i32 tile_index,
                                                    u32 shared, u32 marks) {
    u8* destination =
        call.v_work + (static_cast<u64>(kv_row) * call.k_tiles + tile_index) * kValueTileBytes;
#pragma unroll 1
    for (u32 unit = quant_warp(); unit < kUnits; unit += kQuantWarps) {
        quantize_unit(call, value_base(call, kv_row), shared, unit, tile_index * plan::tile_k,
                      destination, marks);
    }
}

// Mean and factors of a head; its first tile keeps them.
__device__ __forceinline__ void prepare_value_head(const Call& call, i32 kv_row, i32 tile_index,
                                                   u32 shared) {
    ValueSample sample;
    sample.load(call, call.v, value_base(call, kv_row), value_row(), 8 * value_lane(),
                kValueChannels);
    clear_factors(shared);
    find_value_means(call, kv_row, sample, shared);
    f32 mean[8] = {};
    u32 largest[8] = {};
    if (has_channels()) load_eight_f32(mean, mean_word(shared, 8 * value_lane()));
#pragma unroll
    for (int read = 0; read < ValueSample::kReads; ++read) {
        if (ValueSample::index(read, value_row()) < ValueSample::count(call)) {
            raise_largest(largest, sample.pairs[read], mean);
        }
    }
    mark_largest(largest, shared);
    const u64 words = static_cast<u64>(kv_row) * kValueChannels;
    choose_factors(shared, kSampleTop, tile_index == 0 ? call.v_scale + words : nullptr);
    if (tile_index != 0) return;
#pragma unroll 1
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        call.v_mean[words + channel] = load_shared_f32(mean_word(shared, channel));
        call.v_first_bad[words + channel] = kNoBadKey;
    }
}

__device__ __forceinline__ void prepare_values(const Call& call, i32 kv_row, i32 tile_index,
                                               u32 shared, u32 marks) {
    quantize_value_tile(call, kv_row, tile_index, shared, marks);
}

__device__ __forceinline__ void keep_notes(const Call& call, u64 tile_row, u32 marks) {
    if (thread_index() != 0) return;
    call.v_notes[tile_row] =
        static_cast<i32>(load_shared_u32(marks + 4 * kSaturatedMark) * kSaturated +
                         load_shared_u32(marks + 4 * kNonfiniteMark) * kNotFinite);
}
