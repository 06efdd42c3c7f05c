// K is quantized as it is.
using KeySample = u32;
__device__ __forceinline__ void load_key_sample(KeySample&, const Call&, i32) {}
__device__ __forceinline__ void find_key_mean(const Call&, const KeySample&, u32, f32*) {}
__device__ __forceinline__ void read_key_mean(const Call&, i32, u32) {}
__device__ __forceinline__ void load_key_means(f32 (&mean)[8], u32) {
#pragma unroll
    for (int i = 0; i < 8; ++i) mean[i] = 0.0f;
}
