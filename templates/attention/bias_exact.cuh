// The bias comes off each score, exactly: probabilities must not exceed the range that they are
// rounded to.
constexpr f32 kFoldedBias = 0.0f;
__device__ __forceinline__ f32 score_value(i32 score) { return bits_to_f32(score) - kScoreBias; }
