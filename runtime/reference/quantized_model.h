// The third oracle: what the quantized algorithm gives when only its deliberate roundings happen,
// those of Q, K, P and V. Everything else, accumulators included, is fp64. A kernel must agree
// with it to a tight tolerance; its distance from exact attention is the price of quantization.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "reference/problem.h"
#include "reference/quantizers.h"

namespace sagejit {

// In which arithmetic the integers are chosen. kFp32 gives the kernels' own integers (given their
// k_mean), so that only rounding of sums and exponentials is left to tolerate.
enum class QuantizerArithmetic { kFp64, kFp32 };

// Everything the two matrix products read. Per head: index batch * heads + head.
struct QuantizedOperands {
    std::vector<double> k_mean;  // [batch, heads_kv, head_dim]; zeros without smoothing
    std::vector<QuantizedRows<double>> q, k;
    std::vector<double> v;        // [batch, heads_kv, len_k, head_dim_v]: as multiplied by P
    std::vector<double> v_scale;  // [batch, heads_kv, head_dim_v]: real = v_scale * v
    std::vector<double> v_mean;   // [batch, heads_kv, head_dim_v]: to be added to o, with what
                                  // rounding left of v on the average
    std::vector<int64_t>
        v_first_bad;  // [batch, heads_kv, head_dim_v]; len_k where it does not matter
};

// The mean over all len_k keys of each channel: the sum of its finite elements / len_k.
// [batch, heads_kv, head_dim].
std::vector<double> channel_means(const AttentionProblem& problem);

// The mean of that many rows (all, where there are fewer), those in the middle of equal parts of
// the keys; a value that is not finite counts as 0. [batch, heads_kv, head_dim].
std::vector<double> sample_means(const AttentionProblem& problem, int64_t samples);

// The same of V, of as many such samples as a head of that length takes (kValueSampleKeys), less
// what the samples' variance explains of it: m - s / (n m), or 0 where that has another sign than
// m; n: tokens sampled, s: their variance. [batch, heads_kv, head_dim_v].
std::vector<double> value_sample_means(const AttentionProblem& problem, int64_t samples);

// Quantizes as the plan says: granularity, tiles, smoothing, path of V. k_mean: what to subtract,
// [batch, heads_kv, head_dim]; empty for channel_means, or
// sample_means where the plan takes a sample, rounded to the arithmetic. Ignored without
// smoothing. v_mean: the same for V, [batch, heads_kv, head_dim_v]. Throws Error(kInvalidArgument)
// where plan and problem do not fit.
QuantizedOperands quantize_operands(const Plan& plan, const AttentionProblem& problem,
                                    QuantizerArithmetic arithmetic = QuantizerArithmetic::kFp64,
                                    std::span<const double> k_mean = {},
                                    std::span<const double> v_mean = {});

// Attention on quantized operands, with the plan's mask and type of P.
//
// P in fp16 or bf16: p = exp(s - row maximum), rounded to that type for the product with V,
// unrounded for the row sum. P in int8: p relative to the maximum of the tiles of tile_k keys so
// far, rounded to multiples of 1/255, both for the product and for the row sum that divides it; lse
// from unrounded p. P in e4m3: see round_to_fp8. All variants of pv_accum give the same:
// accumulators do not round here. A row is NaN when its q, or a k it sees, is not finite; with V in
// 8 bits a channel of a row is NaN when a v it sees there is not finite. round_output: round o to
// the plan's output_dtype.
AttentionResult quantized_attention(const Plan& plan, const AttentionProblem& problem,
                                    const QuantizedOperands& operands, bool round_output = false);

}  // namespace sagejit
