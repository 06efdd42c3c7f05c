// Scores keep their bias; the softmax takes it off inside its multiply-add. That rounds the
// exponent by at most 0.75 of one integer step of the scores, alike for all keys of a tile: far
// below the noise of quantization, and no instruction.
constexpr f32 kFoldedBias = kScoreBias;
__device__ __forceinline__ f32 score_value(i32 score) { return bits_to_f32(score); }
