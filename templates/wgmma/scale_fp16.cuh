// fp16 elements times a factor, rounded to int8, two at a time. The factor is rounded to fp16
// first, and the scale follows it, so that the product has the one rounding to an integer.

// Below it the factor that makes a group's largest element 127 would pass the range of fp16.
constexpr f32 kLeastPackedAmax = 0.002f;

// Whether groups of this amax, not negative, can be scaled so; those of zeros can.
__device__ __forceinline__ bool is_packable(f32 amax) {
    return amax >= kLeastPackedAmax || amax == 0.0f;
}

// 127 over amax.
__device__ __forceinline__ f32 packed_factor(f32 amax) {
    const f32 factor = div_normal(127.0f, max_f32(amax, kLeastPackedAmax));
    return input_to_f32(static_cast<u16>(f32_to_f16x2(factor, factor)));
}

// What the group's scale is to be made of: amax as its factor has it.
__device__ __forceinline__ f32 packed_amax(f32, f32 factor) { return div_normal(127.0f, factor); }

__device__ __forceinline__ void pack_products(u32 (&bytes)[2], const u32 (&pairs)[4], f32 factor) {
    constexpr u32 kLowBytes = 0x6420;  // of both halves of each
    const u32 factors = f32_to_f16x2(factor, factor);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        bytes[i] = permute_bytes(round_products_f16x2(pairs[2 * i], factors),
                                 round_products_f16x2(pairs[2 * i + 1], factors), kLowBytes);
    }
}
