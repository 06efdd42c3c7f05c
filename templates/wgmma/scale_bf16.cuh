// bf16 elements times a factor, rounded to int8: in fp32, whose range is theirs.
__device__ __forceinline__ bool is_packable(f32) { return true; }

// 127 over a group's amax.
__device__ __forceinline__ f32 packed_factor(f32 amax) {
    return group_inverse(127.0f, max_f32(amax, kAmaxFloor));
}
__device__ __forceinline__ f32 packed_amax(f32 amax, f32) { return max_f32(amax, kAmaxFloor); }

__device__ __forceinline__ void pack_products(u32 (&bytes)[2], const u32 (&pairs)[4], f32 factor) {
    f32 values[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) values[i] = mul_rn(input_to_f32(nth_of_eight(pairs, i)), factor);
    pack_s8(bytes, values);
}
