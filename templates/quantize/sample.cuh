// Which of `samples` tokens of K or V the sample-th is.
// Evenly spaced, in the middle of their parts: the first tokens of a text are unlike the rest.
__device__ __forceinline__ i32 sampled_token(const Call& call, i32 sample, i32 samples) {
    return static_cast<i32>((2 * static_cast<i64>(sample) + 1) * call.len_k / (2 * samples));
}
