// V to e4m3, less its channel's mean, with a power of two per channel as its scale. The numbers of
// a sample choose it, with room for numbers 28 times as large: what e4m3 gives away at the lower
// end is below 2^-13 of the sample's largest. A head that holds a larger number, or NaN or Inf, is
// settled by the CTA that finishes it.
constexpr u32 kSaturated = 1, kNotFinite = 2;  // notes of a head
constexpr bool kKeysFirst = false;             // whether keys are read ahead of a head's means
constexpr u32 kLargestE4m3 = 0x43E00000u;      // 448, as the bits of a float

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

// What rounding leaves of a channel's values, times the scale, on the average of all keys, is added
// to outputs like the channel's mean: even attention would lose it. Sums are kept in integers, so
// that their order does not matter. A value leaves at most 16, so that many keys have room; longer
// heads go without.
constexpr f32 kResidueSteps = 256.0f;
constexpr i32 kResidueKeys = 1 << 19;
__device__ __forceinline__ void add_residue(i32* sums, u32 channel, f32 left) {
    // The nearest integer stands in the low bits of a float this large.
    constexpr f32 kIntegers = 12582912.0f;  // 1.5 * 2^23
    const f32 shifted = fma_rn(left, kResidueSteps, kIntegers);
    atomic_add_global(sums + channel,
                      static_cast<i32>(f32_to_bits(shifted) - f32_to_bits(kIntegers)));
}
__device__ __forceinline__ f32 left_of(const f32 (&scaled)[4], u32 word) {
    return add_rn(add_rn(add_rn(scaled[0], scaled[2]), add_rn(scaled[1], scaled[3])),
                  -sum_e4m3x4(word));
}

// Of the eight lanes that share eight channels, each gets the sum of one: its own.
__device__ __forceinline__ f32 gather_left(const f32 (&left)[8]) {
    f32 sums[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) sums[i] = left[i];
#pragma unroll
    for (int half = 4; half > 0; half /= 2) {
        const bool upper = (quant_lane() & static_cast<u32>(half)) != 0;
#pragma unroll
        for (int i = 0; i < half; ++i) {
            const f32 other = shuffle_xor_f32(upper ? sums[i] : sums[i + half], half);
            sums[i] = add_rn(upper ? sums[i + half] : sums[i], other);
        }
    }
    return sums[0];
}

// Four tokens of eight channels to scratch. Returns whether one may be too large, or not finite.
// Scaling by a power of two is exact, so that one rounding serves mean and scale; where the
// product of both is too large for a float, the result says so. left: of each channel.
__device__ __forceinline__ bool round_values(const u32 (&pairs)[4][4], u32 shared, u32 channel,
                                             u32 words, f32 (&left)[8]) {
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
            left[4 * half + i] = left_of(scaled, word);
            // Sets a byte's upper bit where it is the largest magnitude or NaN.
            ends |= (word & 0x7F7F7F7Fu) + 0x02020202u;
            store_shared_u32(words + 4 * unit_word(4 * half + i, 0), word);
        }
    }
    return (ends & 0x80808080u) != 0;
}

// The same where something is unusual: of what is not finite, and of tokens that are not there,
// nothing remains. Notes say what there was.
__device__ __forceinline__ void round_unusual(const u32 (&pairs)[4][4], u32 shared, UnitLane lane,
                                              i32 len_k, u32 words, u32* notes, i32* residue) {
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
        const u32 word = f32_to_e4m3x4(scaled[0], scaled[1], scaled[2], scaled[3]);
        store_shared_u32(words + 4 * unit_word(i, 0), word);
        // What saturates is quantized again, and its sums start anew.
        if (!saturated) add_residue(residue, lane.channel + i, left_of(scaled, word));
    }
    if (saturated || nonfinite) {
        atomic_or_global(notes, (saturated ? kSaturated : 0u) | (nonfinite ? kNotFinite : 0u));
    }
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
                                              u32 unit, i32 first, u8* destination, u32* notes,
                                              i32* residue) {
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
    f32 left[8] = {};
    if (inside) unusual |= round_values(pairs, shared, lane.channel, words, left);
    if (unusual) {
        round_unusual(pairs, shared, lane, call.len_k, words, notes, residue);
#pragma unroll
        for (int i = 0; i < 8; ++i) left[i] = 0.0f;
    }
    const f32 own_left = gather_left(left);
    if (inside) add_residue(residue, first_channel + quant_lane(), own_left);
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
__device__ __forceinline__ void prepare_values(const Call& call, i32 kv_row, i32 tile_index,
                                               u32 shared) {
    u8* destination =
        call.v_work + (static_cast<u64>(kv_row) * call.k_tiles + tile_index) * kValueTileBytes;
#pragma unroll 1
    for (u32 unit = quant_warp(); unit < kUnits; unit += kQuantWarps) {
        quantize_unit(call, value_base(call, kv_row), shared, unit, tile_index * plan::tile_k,
                      destination, notes_of(call, kv_row),
                      call.v_residue + static_cast<u64>(kv_row) * kValueChannels);
    }
}
