// Promoted sums in fp32: the accumulator starts anew from zero.
constexpr u32 kMasterBytes = 16;  // of four numbers

__device__ __forceinline__ void load_master(f32 (&numbers)[4], u32 address) {
    u32 bits[4];
    load_shared_u32x4(bits, address);
#pragma unroll
    for (int i = 0; i < 4; ++i) numbers[i] = bits_to_f32(bits[i]);
}

// Leaves where the accumulator starts.
__device__ __forceinline__ void store_master(u32 address, f32 (&numbers)[4]) {
    u32 bits[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        bits[i] = f32_to_bits(numbers[i]);
        numbers[i] = 0.0f;
    }
    store_shared_u32x4(address, bits);
}
