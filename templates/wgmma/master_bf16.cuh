// Promoted sums in bf16, cut off, and what is left over is where the accumulator starts anew: the
// two together are as exact as fp32, in half the room.
constexpr u32 kMasterBytes = 8;  // of four numbers
constexpr u32 kUpperHalf = 0xFFFF0000u;

__device__ __forceinline__ void load_master(f32 (&numbers)[4], u32 address) {
    u32 pairs[2];
    load_shared_u32x2(pairs, address);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        numbers[2 * i] = bits_to_f32(pairs[i] << 16);
        numbers[2 * i + 1] = bits_to_f32(pairs[i] & kUpperHalf);
    }
}

// Leaves where the accumulator starts. Rounded to nearest, the rest would be smaller, but ptxas
// then puts off the subtractions until it is out of registers.
__device__ __forceinline__ void store_master(u32 address, f32 (&numbers)[4]) {
    constexpr u32 kUpperHalves = 0x7632;
    u32 bits[4], pairs[2];
#pragma unroll
    for (int i = 0; i < 4; ++i) bits[i] = f32_to_bits(numbers[i]);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        pairs[i] = permute_bytes(bits[2 * i], bits[2 * i + 1], kUpperHalves);
    }
    store_shared_u32x2(address, pairs);
#pragma unroll
    for (int i = 0; i < 4; ++i) numbers[i] -= bits_to_f32(bits[i] & kUpperHalf);
}
