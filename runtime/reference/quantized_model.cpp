#include "reference/quantized_model.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <utility>

#include "reference/fp8_probabilities.h"
#include "reference/score_block.h"
#include "tensor/half.h"
#include "tensor/parallel.h"

namespace sagejit {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kResidueKeys = int64_t{1} << 19;  // templates/wgmma/quantize_values.cuh
constexpr double kUnsignedLevels = 255;             // of P in int8

void require_fit(const Plan& plan, const AttentionProblem& problem) {
    const bool geometry = plan.tile_q > 0 && plan.tile_k > 0 && plan.warp_q > 0 &&
                          plan.tile_q % plan.warp_q == 0 && plan.warp_q % 8 == 0 &&
                          plan.tile_k % 8 == 0;
    const bool sizes = plan.spec.head_dim > 0 && plan.spec.head_dim_v > 0 &&
                       plan.spec.head_dim == problem.head_dim &&
                       plan.spec.head_dim_v == problem.head_dim_v;
    if (!geometry || !sizes)
        throw Error(ErrorCode::kInvalidArgument, "the plan does not fit the problem",
                    geometry ? "head_dim" : "tile_q, tile_k, warp_q",
                    "make the plan from a spec with the problem's head dimensions");
    check_problem(problem);
}

// One [len, dim] matrix of a tensor.
std::span<const double> matrix_of(std::span<const double> all, int64_t index, int64_t len,
                                  int64_t dim) {
    return all.subspan(index * len * dim, len * dim);
}

std::vector<float> to_float(std::span<const double> values) {
    return {values.begin(), values.end()};
}

template <class Rows>
QuantizedRows<double> widen(Rows rows) {
    return {std::move(rows.values), {rows.scale.begin(), rows.scale.end()}, std::move(rows.bad)};
}

// Fills the operands' v, v_scale and v_first_bad of one head.
void quantize_values(const Plan& plan, const AttentionProblem& problem, int64_t matrix,
                     QuantizerArithmetic arithmetic, QuantizedOperands& operands) {
    const int64_t len = problem.shape.len_k, dim = problem.head_dim_v;
    const std::span<const double> v = matrix_of(problem.v, matrix, len, dim);
    double* values = operands.v.data() + matrix * len * dim;
    double* scale = operands.v_scale.data() + matrix * dim;
    const auto take = [&](const auto& channels) {
        std::copy(channels.values.begin(), channels.values.end(), values);
        std::copy(channels.scale.begin(), channels.scale.end(), scale);
        std::copy(channels.first_bad.begin(), channels.first_bad.end(),
                  operands.v_first_bad.begin() + matrix * dim);
    };
    switch (plan.v_path) {
        case VPath::kDirect:
            std::copy(v.begin(), v.end(), values);
            return;
        case VPath::kScaledFp16: {
            const HalfChannels channels = scale_v_to_fp16(v, dim);
            for (size_t i = 0; i < v.size(); ++i) values[i] = fp16_to_float(channels.values[i]);
            for (int64_t d = 0; d < dim; ++d) scale[d] = std::ldexp(1.0, channels.exponent[d]);
            return;
        }
        case VPath::kInt8:
            if (arithmetic == QuantizerArithmetic::kFp64)
                take(quantize_v<double>(v, dim));
            else
                take(quantize_v<float>(to_float(v), dim));
            return;
        case VPath::kFp8: {
            const std::span<const double> mean = matrix_of(operands.v_mean, matrix, 1, dim);
            const auto take_fp8 = [&](const auto& channels) {
                take(channels);
                if (len > kResidueKeys) return;
                for (int64_t d = 0; d < dim; ++d) {
                    operands.v_mean[matrix * dim + d] +=
                        channels.residue[d] * channels.scale[d] / static_cast<double>(len);
                }
            };
            if (arithmetic == QuantizerArithmetic::kFp64)
                take_fp8(quantize_v_to_fp8<double>(v, mean, plan.value_samples));
            else
                take_fp8(quantize_v_to_fp8<float>(to_float(v), to_float(mean), plan.value_samples));
            return;
        }
    }
}

// All heads' integers as one array of doubles, in which their dot products are exact.
std::vector<double> widen_integers(const std::vector<QuantizedRows<double>>& matrices) {
    std::vector<double> values;
    for (const QuantizedRows<double>& matrix : matrices)
        values.insert(values.end(), matrix.values.begin(), matrix.values.end());
    return values;
}

// Turns base-2 scores into probabilities of that type.
RowResult round_to_type(std::span<double> scores, DataType type) {
    const double row_max = *std::max_element(scores.begin(), scores.end());
    RowResult row;
    for (double& score : scores) {
        const double p = std::exp2(score - row_max);
        row.divisor += p;
        score = round_to_half(p, type);
    }
    row.lse_log2 = row_max + std::log2(row.divisor);
    return row;
}

// Turns base-2 scores into multiples of 1/255 relative to the running maximum, brought to the
// final one: rescaling what was accumulated is exact here, so it can be done in advance.
RowResult round_to_int8(std::span<double> scores, int64_t tile_k) {
    const double row_max = *std::max_element(scores.begin(), scores.end());
    const auto len = static_cast<int64_t>(scores.size());
    RowResult row;
    double running = -kInfinity, sum = 0;
    for (int64_t tile = 0; tile < len; tile += tile_k) {
        const std::span<double> part = scores.subspan(tile, std::min(tile_k, len - tile));
        running = std::max(running, *std::max_element(part.begin(), part.end()));
        const double rescale = std::exp2(running - row_max);
        for (double& score : part) {
            const double p = std::exp2(score - running);
            sum += p * rescale;
            score = std::rint(p * kUnsignedLevels) / kUnsignedLevels * rescale;
            row.divisor += score;
        }
    }
    row.lse_log2 = row_max + std::log2(sum);
    return row;
}

// Turns a block's integer scores into the plan's probabilities.
void round_probabilities(const Plan& plan, const ScoreBlock& block, const QuantizedRows<double>& q,
                         const QuantizedRows<double>& k, RowResult* rows) {
    if (plan.spec.pv_type == PvType::kFp8) return round_to_fp8(plan, block, q, k, rows);
    for (int64_t i = 0; i < block.rows; ++i) {
        if (block.visible[i] == 0) continue;
        const std::span<double> scores = block.row(i);
        for (size_t j = 0; j < scores.size(); ++j)
            scores[j] *= q.scale[block.first_row + i] * k.scale[j];
        switch (plan.spec.pv_type) {
            case PvType::kFp16:
                rows[i] = round_to_type(scores, DataType::kFp16);
                break;
            case PvType::kBf16:
                rows[i] = round_to_type(scores, DataType::kBf16);
                break;
            case PvType::kInt8:
                rows[i] = round_to_int8(scores, plan.tile_k);
                break;
            case PvType::kFp8:
                break;
        }
    }
}

// Of K or V, as `all`: the mean of a sample of each head's tokens.
std::vector<double> means_of_sample(std::span<const double> all, int64_t matrices, int64_t len,
                                    int64_t dim, int64_t samples) {
    std::vector<double> means(static_cast<size_t>(matrices * dim), 0.0);
    samples = std::min(samples, len);
    for (int64_t matrix = 0; matrix < matrices; ++matrix) {
        double* mean = means.data() + matrix * dim;
        const std::span<const double> x = matrix_of(all, matrix, len, dim);
        for (int64_t sample = 0; sample < samples; ++sample) {
            const double* row = x.data() + (2 * sample + 1) * len / (2 * samples) * dim;
            for (int64_t d = 0; d < dim; ++d)
                if (std::isfinite(row[d])) mean[d] += row[d] / static_cast<double>(samples);
        }
    }
    return means;
}

}  // namespace

std::vector<double> channel_means(const AttentionProblem& problem) {
    const int64_t len = problem.shape.len_k, dim = problem.head_dim;
    std::vector<double> means(static_cast<size_t>(problem.kv_matrices() * dim), 0.0);
    if (len == 0) return means;
    for (int64_t matrix = 0; matrix < problem.kv_matrices(); ++matrix) {
        double* mean = means.data() + matrix * dim;
        const std::span<const double> k = matrix_of(problem.k, matrix, len, dim);
        for (size_t i = 0; i < k.size(); ++i)
            if (std::isfinite(k[i])) mean[i % static_cast<size_t>(dim)] += k[i];
        for (int64_t d = 0; d < dim; ++d) mean[d] /= static_cast<double>(len);
    }
    return means;
}

std::vector<double> sample_means(const AttentionProblem& problem, int64_t samples) {
    return means_of_sample(problem.k, problem.kv_matrices(), problem.shape.len_k, problem.head_dim,
                           samples);
}

std::vector<double> value_sample_means(const AttentionProblem& problem, int64_t samples) {
    const int64_t len = problem.shape.len_k, dim = problem.head_dim_v;
    const int64_t taken = std::min<int64_t>(
        len / kValueSampleKeys * 2 + (len < kShortValueKeys ? 1 : 3), kMostValueSamples);
    samples = std::min(samples * taken, len);
    std::vector<double> squared = problem.v;
    for (double& value : squared) value *= value;
    const auto matrices = problem.kv_matrices();
    std::vector<double> means = means_of_sample(problem.v, matrices, len, dim, samples);
    const std::vector<double> squares = means_of_sample(squared, matrices, len, dim, samples);
    for (size_t i = 0; i < means.size(); ++i) {
        const double square = means[i] * means[i];
        const double noise =
            std::max(squares[i] - square, 0.0) / static_cast<double>(std::max<int64_t>(samples, 1));
        // Past the range of fp32 the kernels find nothing to subtract.
        const bool clear = square > noise && squares[i] * static_cast<double>(samples) < 0x1p127;
        means[i] = clear ? means[i] - noise / means[i] : 0;
    }
    return means;
}

QuantizedOperands quantize_operands(const Plan& plan, const AttentionProblem& problem,
                                    QuantizerArithmetic arithmetic, std::span<const double> k_mean,
                                    std::span<const double> v_mean) {
    require_fit(plan, problem);
    const int64_t len_q = problem.shape.len_q, len_k = problem.shape.len_k;
    const int64_t dim = problem.head_dim, dim_v = problem.head_dim_v;
    const int64_t kv_matrices = problem.kv_matrices();
    QuantizedOperands operands;
    if (!plan.spec.smooth_k)
        operands.k_mean.assign(static_cast<size_t>(kv_matrices * dim), 0.0);
    else if (k_mean.empty())
        operands.k_mean = plan.mean_samples > 0 ? sample_means(problem, plan.mean_samples)
                                                : channel_means(problem);
    else
        operands.k_mean.assign(k_mean.begin(), k_mean.end());
    if (operands.k_mean.size() != static_cast<size_t>(kv_matrices * dim))
        throw Error(ErrorCode::kInvalidArgument, "k_mean has the wrong size", "k_mean",
                    "[batch, heads_kv, head_dim] is needed");
    if (arithmetic == QuantizerArithmetic::kFp32)
        for (double& mean : operands.k_mean) mean = static_cast<float>(mean);

    if (!plan.spec.smooth_v)
        operands.v_mean.assign(static_cast<size_t>(kv_matrices * dim_v), 0.0);
    else if (v_mean.empty())
        operands.v_mean = value_sample_means(problem, plan.value_samples);
    else
        operands.v_mean.assign(v_mean.begin(), v_mean.end());
    if (operands.v_mean.size() != static_cast<size_t>(kv_matrices * dim_v))
        throw Error(ErrorCode::kInvalidArgument, "v_mean has the wrong size", "v_mean",
                    "[batch, heads_kv, head_dim_v] is needed");
    if (arithmetic == QuantizerArithmetic::kFp32)
        for (double& mean : operands.v_mean) mean = static_cast<float>(mean);

    operands.q.resize(static_cast<size_t>(problem.q_matrices()));
    parallel_for(problem.q_matrices(), [&](int64_t i) {
        const std::span<const double> q = matrix_of(problem.q, i, len_q, dim);
        operands.q[i] = arithmetic == QuantizerArithmetic::kFp64
                            ? quantize_q<double>(plan, q, problem.logit_scale)
                            : widen(quantize_q<float>(plan, to_float(q),
                                                      static_cast<float>(problem.logit_scale)));
    });
    operands.k.resize(static_cast<size_t>(kv_matrices));
    operands.v.resize(problem.v.size());
    operands.v_scale.assign(static_cast<size_t>(kv_matrices * dim_v), 1.0);
    operands.v_first_bad.assign(static_cast<size_t>(kv_matrices * dim_v), len_k);
    parallel_for(kv_matrices, [&](int64_t i) {
        const std::span<const double> k = matrix_of(problem.k, i, len_k, dim);
        const std::span<const double> mean = matrix_of(operands.k_mean, i, 1, dim);
        operands.k[i] = arithmetic == QuantizerArithmetic::kFp64
                            ? quantize_k<double>(plan, k, mean)
                            : widen(quantize_k<float>(plan, to_float(k), to_float(mean)));
        quantize_values(plan, problem, i, arithmetic, operands);
    });
    return operands;
}

AttentionResult quantized_attention(const Plan& plan, const AttentionProblem& problem,
                                    const QuantizedOperands& operands, bool round_output) {
    require_fit(plan, problem);
    const int64_t len_q = problem.shape.len_q, len_k = problem.shape.len_k;
    const int64_t dim = problem.head_dim, dim_v = problem.head_dim_v;
    AttentionResult result;
    result.o.assign(static_cast<size_t>(problem.q_matrices() * len_q * dim_v), 0.0);
    result.lse.assign(static_cast<size_t>(problem.q_matrices() * len_q), -kInfinity);

    const std::vector<double> q = widen_integers(operands.q), k = widen_integers(operands.k);
    for_each_score_block(problem, plan.spec.causal, q, k, [&](const ScoreBlock& block) {
        const QuantizedRows<double>& rows_q = operands.q[block.matrix];
        const QuantizedRows<double>& rows_k = operands.k[block.kv_matrix];
        const double* mean = operands.k_mean.data() + block.kv_matrix * dim;
        const double* v_scale = operands.v_scale.data() + block.kv_matrix * dim_v;
        const double* v_mean = operands.v_mean.data() + block.kv_matrix * dim_v;
        const int64_t* v_first_bad = operands.v_first_bad.data() + block.kv_matrix * dim_v;
        const auto first_bad_k = std::find(rows_k.bad.begin(), rows_k.bad.end(), 1);
        const int64_t k_first_bad = first_bad_k - rows_k.bad.begin();
        const int64_t first = block.matrix * len_q + block.first_row;
        double* o = result.o.data() + first * dim_v;

        RowResult done[ScoreBlock::kQueryRows];
        round_probabilities(plan, block, rows_q, rows_k, done);

        double divisors[ScoreBlock::kQueryRows];
        for (int64_t i = 0; i < block.rows; ++i) {
            if (block.visible[i] == 0) continue;
            const int64_t row = block.first_row + i;
            const bool bad = rows_q.bad[row] || k_first_bad < block.visible[i];
            divisors[i] = bad ? kNan : done[i].divisor;
            double shift = 0;
            for (int64_t d = 0; d < dim; ++d) shift += problem.q[(first + i) * dim + d] * mean[d];
            result.lse[first + i] =
                bad ? kNan : done[i].lse_log2 * std::numbers::ln2 + problem.logit_scale * shift;
        }
        add_weighted_values(block, operands.v.data() + block.kv_matrix * len_k * dim_v, dim_v, o);
        for (int64_t i = 0; i < block.rows; ++i) {
            if (block.visible[i] == 0) continue;
            for (int64_t d = 0; d < dim_v; ++d) {
                double& value = o[i * dim_v + d];
                value = value * v_scale[d] / divisors[i] + v_mean[d];
                if (v_first_bad[d] < block.visible[i]) value = kNan;
                if (round_output) value = round_to_half(value, plan.spec.output_dtype);
            }
        }
    });
    return result;
}

}  // namespace sagejit
