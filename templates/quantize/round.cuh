// Largest magnitudes of groups, and rounding to int8.
constexpr f32 kAmaxFloor = 8.8817841970012523e-16f;  // 2^-50: scales stay finite and positive

__device__ __forceinline__ f32 group_amax(u32 groups, u32 group) {
    return max_f32(load_shared_f32(groups + 4 * group), kAmaxFloor);
}

// Rounds to nearest even: the sum's last eight bits are the integer, exact below 127.5, which no
// value over its group's amax times 127 reaches.
__device__ __forceinline__ void pack_s8(u32 (&bytes)[2], const f32 (&values)[8]) {
    constexpr f32 kRound = 12582912.0f;  // 1.5 * 2^23
    constexpr u32 kLowBytes = 0x0040;    // byte 0 of each
    constexpr u32 kHalves = 0x5410;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        u32 bits[4];
#pragma unroll
        for (int k = 0; k < 4; ++k) bits[k] = f32_to_bits(add_rn(values[4 * i + k], kRound));
        bytes[i] = permute_bytes(permute_bytes(bits[0], bits[1], kLowBytes),
                                 permute_bytes(bits[2], bits[3], kLowBytes), kHalves);
    }
}
