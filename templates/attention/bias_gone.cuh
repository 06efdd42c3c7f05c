// Scores are floats that the scales of their keys have multiplied; the bias went with that.
constexpr f32 kFoldedBias = 0.0f;
__device__ __forceinline__ f32 score_value(i32 score) { return bits_to_f32(score); }
