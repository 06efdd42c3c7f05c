// Factors of V's channels: powers of two that bring a largest magnitude near the end of e4m3.
constexpr int kSampleTop = 3;  // the sample's largest number comes into [2^3, 2^4)
constexpr int kExactTop = 7;   // the very largest into [2^7, 2^8)

// Of a power of two, and back.
__device__ __forceinline__ u32 inverse_bits(u32 factor) { return (254u << 23) - factor; }

__device__ __forceinline__ void store_factor(u32 shared, u32 channel, f32 mean, f32 factor) {
    store_shared_f32(factor_word(shared, channel), factor);
    store_shared_f32(offset_word(shared, channel), mul_rn(-mean, factor));
}

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
        store_factor(shared, channel, load_shared_f32(mean_word(shared, channel)),
                     bits_to_f32(exponent << 23));
        if (kept != nullptr) kept[channel] = bits_to_f32(inverse_bits(exponent << 23));
    }
    cta_barrier();
}

__device__ __forceinline__ void clear_factors(u32 shared) {
#pragma unroll 1
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        store_shared_u32(factor_word(shared, channel), 0);
    }
}
