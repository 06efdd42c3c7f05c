// Which of `samples` tokens of K or V the sample-th is.
// Evenly spaced, in the middle of their parts: the first tokens of a text are unlike the rest. With
// `parts` > 1 it is the part-th of as many samples, which are evenly spaced together; of an odd
// number the middle one is the sample that stands alone.
template <int most>
__device__ __forceinline__ i32 sampled_token(const Call& call, i32 sample, i32 samples,
                                             i32 part = 0, i32 parts = 1) {
    static_assert(most > 0 && (most & (most - 1)) == 0, "a power of two");
    if (samples < most) return sample;  // every token
    const u64 place = 2 * (static_cast<u64>(sample) * parts + part) + 1;
    return static_cast<i32>(place * static_cast<u32>(call.len_k) /
                            (2 * most * static_cast<u32>(parts)));
}
