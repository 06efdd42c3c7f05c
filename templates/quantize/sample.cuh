// Which of `samples` tokens of K or V the sample-th is.
// Evenly spaced, in the middle of their parts: the first tokens of a text are unlike the rest.
template <int most>
__device__ __forceinline__ i32 sampled_token(const Call& call, i32 sample, i32 samples) {
    static_assert(most > 0 && (most & (most - 1)) == 0, "a power of two");
    if (samples < most) return sample;  // every token
    return static_cast<i32>(static_cast<u64>(2 * sample + 1) * static_cast<u32>(call.len_k) /
                            (2 * most));
}
