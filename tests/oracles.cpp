#include "oracles.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "reference/attention.h"
#include "reference/metrics.h"
#include "reference/quantized_model.h"
#include "reference/quantizers.h"
#include "tensor/e4m3.h"
#include "tensor/half.h"

namespace sagejit::test {
namespace {

constexpr int32_t kNoBadKey = std::numeric_limits<int32_t>::max();

// One array of the workspace.
template <class T>
const T* region(const Outcome& outcome, const WorkspaceRegion& where) {
    return reinterpret_cast<const T*>(outcome.workspace.data() + where.offset);
}

std::vector<float> to_float(const double* values, int64_t count) {
    return {values, values + count};
}

// Remembers the first few differences of one kind.
class Differences {
  public:
    Differences(std::vector<std::string>& lines, std::string what)
        : lines_(lines), what_(std::move(what)) {}
    ~Differences() {
        if (count_ > 0) lines_.push_back(fmt::format("{}: {} differ; {}", what_, count_, first_));
    }
    template <class A, class B>
    void compare(const A& expected, const B& actual, int64_t matrix, int64_t row, int64_t column) {
        if (expected == actual) return;
        if (count_++ == 0) {
            first_ = fmt::format("matrix {} row {} column {}: expected {}, got {}", matrix, row,
                                 column, expected, actual);
        }
    }

  private:
    std::vector<std::string>& lines_;
    std::string what_, first_;
    int64_t count_ = 0;
};

// Where a byte of a quantized row lies within its tile (templates/wgmma/panels.cuh, derived anew
// from the PTX ISA's swizzles): address bits 4 to 6 are exchanged with bits 7 to 9.
int64_t byte_in_tile(const Plan& plan, int64_t row, int64_t channel) {
    if (plan.target.family == Family::kMmaSync) return row * plan.head_dim_padded + channel;
    const int64_t width = plan.panel_bytes;
    const int64_t plain = channel / width * width * plan.tile_k + row * width + channel % width;
    return plain ^ ((plain >> 7 & (width / 16 - 1)) << 4);
}

void check_q(const Case& c, const Outcome& outcome, std::vector<std::string>& lines) {
    const Plan& plan = outcome.plan;
    const AttentionProblem& problem = outcome.problem;
    const Workspace& w = outcome.regions;
    if (plan.query_in_prologue) return;  // quantized Q stays inside the attention kernel
    const int8_t* stored = region<int8_t>(outcome, w.q_int8);
    const float* scales = region<float>(outcome, w.q_scale);
    const int64_t padded_len = int64_t{w.q_tiles} * plan.tile_q;
    Differences values(lines, "q_int8"), scale(lines, "q_scale");
    for (int64_t matrix = 0; matrix < problem.q_matrices(); ++matrix) {
        const std::vector<float> q =
            to_float(problem.q.data() + matrix * c.shape.len_q * problem.head_dim,
                     c.shape.len_q * problem.head_dim);
        const QuantizedRows<float> expected =
            quantize_q<float>(plan, q, static_cast<float>(problem.logit_scale));
        for (int64_t row = 0; row < padded_len; ++row) {
            const int8_t* line = stored + (matrix * padded_len + row) * plan.head_dim_padded;
            for (int64_t channel = 0; channel < plan.head_dim_padded; ++channel) {
                const bool inside = row < c.shape.len_q && channel < problem.head_dim;
                const int wanted = inside ? expected.values[row * problem.head_dim + channel] : 0;
                values.compare(wanted, int{line[channel]}, matrix, row, channel);
            }
            if (row >= c.shape.len_q || expected.bad[row] != 0) continue;
            const int64_t tile = matrix * w.q_tiles + row / plan.tile_q;
            const int64_t in_tile = row % plan.tile_q;
            const int64_t slot =
                plan.scale_per_token ? in_tile : in_tile / plan.warp_q * 8 + in_tile % 8;
            scale.compare(expected.scale[row], scales[tile * plan.q_scales_per_tile + slot], matrix,
                          row, 0);
        }
    }
}

void check_k(const Case& c, const Outcome& outcome, const std::vector<double>& k_mean,
             std::vector<std::string>& lines) {
    const Plan& plan = outcome.plan;
    const AttentionProblem& problem = outcome.problem;
    const Workspace& w = outcome.regions;
    const int8_t* stored = region<int8_t>(outcome, w.k_int8);
    const auto tile_of = [&](int64_t matrix, int64_t row) {
        return matrix * w.k_tiles + row / plan.tile_k;
    };
    const auto meta_of = [&](int64_t tile) {
        return reinterpret_cast<const float*>(region<std::byte>(outcome, w.k_meta) +
                                              tile * plan.k_meta_bytes);
    };
    const int64_t padded_len = int64_t{w.k_tiles} * plan.tile_k;
    Differences values(lines, "k_int8"), scale(lines, "k_scale"), marks(lines, "first bad key");
    for (int64_t matrix = 0; matrix < problem.kv_matrices(); ++matrix) {
        const int64_t count = c.shape.len_k * problem.head_dim;
        const std::vector<float> k = to_float(problem.k.data() + matrix * count, count);
        std::vector<float> mean;
        if (plan.spec.smooth_k) {
            mean = to_float(k_mean.data() + matrix * problem.head_dim, problem.head_dim);
        }
        const QuantizedRows<float> expected = quantize_k<float>(plan, k, mean);
        for (int64_t row = 0; row < padded_len; ++row) {
            const int8_t* in_tile_order = stored + tile_of(matrix, row) * plan.k_tile_bytes;
            for (int64_t channel = 0; channel < plan.head_dim_padded; ++channel) {
                const bool inside = row < c.shape.len_k && channel < problem.head_dim;
                const int wanted = inside ? expected.values[row * problem.head_dim + channel] : 0;
                const int got = in_tile_order[byte_in_tile(plan, row % plan.tile_k, channel)];
                values.compare(wanted, got, matrix, row, channel);
            }
            if (row >= c.shape.len_k || expected.bad[row] != 0) continue;
            const int64_t in_tile = row % plan.tile_k;
            const int64_t slot = plan.scale_per_token ? in_tile : in_tile % 8 / 2;
            scale.compare(expected.scale[row], meta_of(tile_of(matrix, row))[slot], matrix, row, 0);
        }
        for (int64_t tile = 0; tile < w.k_tiles; ++tile) {
            int32_t first = kNoBadKey;
            for (int64_t row = tile * plan.tile_k;
                 row < std::min<int64_t>(c.shape.len_k, (tile + 1) * plan.tile_k); ++row) {
                if (expected.bad[row] != 0) {
                    first = static_cast<int32_t>(row);
                    break;
                }
            }
            int32_t mark = 0;
            std::memcpy(&mark, meta_of(matrix * w.k_tiles + tile) + plan.k_scales_per_tile,
                        sizeof mark);
            marks.compare(first, mark, matrix, tile, 0);
        }
    }
}

// The position of a token among the 16 of its group, for int8 V.
int64_t permuted(int64_t token) {
    constexpr int64_t kTokenAt[16] = {0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15};
    const auto* found = std::find(std::begin(kTokenAt), std::end(kTokenAt), token % 16);
    return token / 16 * 16 + (found - std::begin(kTokenAt));
}

// What was subtracted from V, [kv row, head_dim_v].
std::vector<double> device_value_mean(const Case& c, const Outcome& outcome) {
    const AttentionProblem& problem = outcome.problem;
    const auto count = static_cast<size_t>(problem.kv_matrices() * problem.head_dim_v);
    std::vector<double> mean(count, 0.0);
    if (outcome.regions.v_mean.bytes == 0 || c.shape.len_k == 0) return mean;
    std::copy_n(region<float>(outcome, outcome.regions.v_mean), count, mean.begin());
    return mean;
}

// V in e4m3: tiles as they lie in shared memory (templates/wgmma/quantize_values.cuh, derived
// anew).
void check_fp8_v(const Case& c, const Outcome& outcome, std::vector<std::string>& lines) {
    const Plan& plan = outcome.plan;
    const AttentionProblem& problem = outcome.problem;
    const Workspace& w = outcome.regions;
    const int64_t dim = problem.head_dim_v, width = plan.value_panel_bytes;
    const auto* stored = region<uint8_t>(outcome, w.v_work);
    const float* scales = region<float>(outcome, w.v_scale);
    const int32_t* bad = region<int32_t>(outcome, w.v_first_bad);
    const std::vector<double> means = device_value_mean(c, outcome);
    const int32_t* residues = region<int32_t>(outcome, w.v_residue);
    Differences values(lines, "v_work"), scale(lines, "v_scale"), marks(lines, "v_first_bad");
    Differences mean(lines, "v_mean is not the sample's"), residue(lines, "v_residue");
    const std::vector<double> exact = plan.spec.smooth_v
                                          ? value_sample_means(problem, plan.value_samples)
                                          : std::vector<double>(means.size(), 0.0);
    for (int64_t matrix = 0; matrix < problem.kv_matrices(); ++matrix) {
        const int64_t count = c.shape.len_k * dim;
        const double* v = problem.v.data() + matrix * count;
        const double* used = means.data() + matrix * dim;
        const Fp8Channels<float> expected =
            quantize_v_to_fp8<float>(to_float(v, count), to_float(used, dim), plan.value_samples);
        for (int64_t channel = 0; channel < dim; ++channel) {
            double largest = 0;
            for (int64_t row = 0; row < c.shape.len_k; ++row) {
                const double value = std::abs(v[row * dim + channel]);
                if (std::isfinite(value)) largest = std::max(largest, value);
            }
            const double off = std::abs(exact[matrix * dim + channel] - used[channel]);
            mean.compare(true, off <= largest * 0x1p-19, matrix, 0, channel);
            scale.compare(expected.scale[channel], scales[matrix * dim + channel], matrix, 0,
                          channel);
            const int64_t first = expected.first_bad[channel];
            marks.compare(first == c.shape.len_k ? int64_t{kNoBadKey} : first,
                          int64_t{bad[matrix * dim + channel]}, matrix, 0, channel);
            // Rounded once for 32 tokens, or for four where one of them is unusual; sums of four
            // numbers are in fp16.
            const double left = residues[matrix * dim + channel] / 256.0;
            double largest_value = 0;
            for (int64_t row = 0; row < c.shape.len_k; ++row)
                largest_value =
                    std::max(largest_value, std::abs(expected.values[row * dim + channel]));
            const double steps = static_cast<double>(c.shape.len_k) / 4 + 8;
            const double allowed = steps * (0.5 / 256 + largest_value * 0x1p-11);
            residue.compare(true, std::abs(left - expected.residue[channel]) <= allowed, matrix, 0,
                            channel);
        }
        for (int64_t row = 0; row < int64_t{w.k_tiles} * plan.tile_k; ++row) {
            const int64_t position = permuted(row % plan.tile_k);
            const uint8_t* tile =
                stored + (matrix * w.k_tiles + row / plan.tile_k) * plan.tile_k * dim;
            for (int64_t channel = 0; channel < dim; ++channel) {
                const int64_t plain =
                    position / width * width * dim + channel * width + position % width;
                const int64_t at = plain ^ ((plain >> 7 & (width / 16 - 1)) << 4);
                const double wanted =
                    row < c.shape.len_k ? expected.values[row * dim + channel] : 0.0;
                values.compare(wanted, e4m3_to_double(tile[at]), matrix, row, channel);
            }
        }
    }
}

void check_v(const Case& c, const Outcome& outcome, std::vector<std::string>& lines) {
    const Plan& plan = outcome.plan;
    const AttentionProblem& problem = outcome.problem;
    const Workspace& w = outcome.regions;
    if (plan.v_path == VPath::kDirect || c.shape.len_k == 0) return;
    if (plan.v_path == VPath::kFp8) return check_fp8_v(c, outcome, lines);
    const int64_t padded_len = int64_t{w.k_tiles} * plan.tile_k;
    const int64_t channels = plan.head_dim_v_padded;
    const float* scales = region<float>(outcome, w.v_scale);
    Differences values(lines, "v_work"), scale(lines, "v_scale"), marks(lines, "v_first_bad");
    for (int64_t matrix = 0; matrix < problem.kv_matrices(); ++matrix) {
        const int64_t count = c.shape.len_k * problem.head_dim_v;
        const double* v = problem.v.data() + matrix * count;
        if (plan.v_path == VPath::kScaledFp16) {
            const HalfChannels expected = scale_v_to_fp16({v, v + count}, problem.head_dim_v);
            const uint16_t* stored = region<uint16_t>(outcome, w.v_work);
            for (int64_t row = 0; row < padded_len; ++row) {
                for (int64_t channel = 0; channel < channels; ++channel) {
                    const bool inside = row < c.shape.len_k && channel < problem.head_dim_v;
                    const uint16_t wanted =
                        inside ? expected.values[row * problem.head_dim_v + channel] : 0;
                    const uint16_t got = stored[(matrix * padded_len + row) * channels + channel];
                    const bool both_nan = (wanted & 0x7FFF) > 0x7C00 && (got & 0x7FFF) > 0x7C00;
                    if (!both_nan) values.compare(wanted, got, matrix, row, channel);
                }
            }
            for (int64_t channel = 0; channel < problem.head_dim_v; ++channel) {
                scale.compare(std::ldexp(1.0f, expected.exponent[channel]),
                              scales[matrix * channels + channel], matrix, 0, channel);
            }
        } else {
            const QuantizedChannels<float> expected =
                quantize_v<float>(to_float(v, count), problem.head_dim_v);
            const int8_t* stored = region<int8_t>(outcome, w.v_work);
            const int32_t* bad = region<int32_t>(outcome, w.v_first_bad);
            for (int64_t row = 0; row < padded_len; ++row) {
                for (int64_t channel = 0; channel < channels; ++channel) {
                    const bool inside = row < c.shape.len_k && channel < problem.head_dim_v;
                    const int wanted =
                        inside ? expected.values[row * problem.head_dim_v + channel] : 0;
                    values.compare(
                        wanted,
                        int{stored[(matrix * channels + channel) * padded_len + permuted(row)]},
                        matrix, row, channel);
                }
            }
            for (int64_t channel = 0; channel < problem.head_dim_v; ++channel) {
                scale.compare(expected.scale[channel], scales[matrix * channels + channel], matrix,
                              0, channel);
                const int64_t first = expected.first_bad[channel];
                marks.compare(first == c.shape.len_k ? int64_t{kNoBadKey} : first,
                              int64_t{bad[matrix * channels + channel]}, matrix, 0, channel);
            }
        }
    }
}

// The mean the quantizer subtracted: the chunk sums added in order, divided in fp32.
std::vector<double> device_mean(const Case& c, const Outcome& outcome) {
    const Plan& plan = outcome.plan;
    const AttentionProblem& problem = outcome.problem;
    std::vector<double> mean(problem.kv_matrices() * problem.head_dim, 0.0);
    if (!plan.spec.smooth_k || c.shape.len_k == 0 || outcome.workspace.empty()) return mean;
    if (plan.mean_samples > 0) {
        const float* kept = region<float>(outcome, outcome.regions.k_mean);
        for (int64_t matrix = 0; matrix < problem.kv_matrices(); ++matrix) {
            std::copy_n(kept + matrix * plan.head_dim_padded, problem.head_dim,
                        mean.begin() + matrix * problem.head_dim);
        }
        return mean;
    }
    const float* sums = region<float>(outcome, outcome.regions.k_sum);
    for (int64_t matrix = 0; matrix < problem.kv_matrices(); ++matrix) {
        for (int64_t channel = 0; channel < problem.head_dim; ++channel) {
            float total = 0;
            for (int64_t chunk = 0; chunk < outcome.regions.chunks; ++chunk) {
                total += sums[(matrix * outcome.regions.chunks + chunk) * plan.head_dim_padded +
                              channel];
            }
            if (!std::isfinite(total)) continue;
            mean[matrix * problem.head_dim + channel] = total / static_cast<float>(c.shape.len_k);
        }
    }
    return mean;
}

}  // namespace

std::vector<std::string> check_quantizers(const Case& c, const Outcome& outcome,
                                          std::vector<double>& k_mean) {
    std::vector<std::string> lines;
    k_mean = device_mean(c, outcome);
    if (outcome.workspace.empty()) return lines;
    if (outcome.plan.spec.smooth_k && c.shape.len_k > 0) {
        const std::vector<double> exact =
            outcome.plan.mean_samples > 0 ? sample_means(outcome.problem, outcome.plan.mean_samples)
                                          : channel_means(outcome.problem);
        double largest = 0, worst = 0;
        for (const double value : outcome.problem.k) {
            if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
        }
        for (size_t i = 0; i < exact.size(); ++i) {
            worst = std::max(worst, std::abs(exact[i] - k_mean[i]));
        }
        // fp32 sums of at most len_k / 8 terms a thread and 64 partial sums after them.
        const double bound = largest * 0x1p-24 * (8 + 0.25 * std::sqrt(1.0 * c.shape.len_k));
        if (worst > bound) {
            lines.push_back(fmt::format("k_mean is off by {} (bound {})", worst, bound));
        }
    }
    check_q(c, outcome, lines);
    check_k(c, outcome, k_mean, lines);
    check_v(c, outcome, lines);
    return lines;
}

// The most by which one integer step of a score moves a logit, natural logarithm.
double largest_step(const QuantizedOperands& operands) {
    const auto largest = [](const std::vector<QuantizedRows<double>>& matrices) {
        double scale = 0;
        for (const QuantizedRows<double>& rows : matrices) {
            for (const double value : rows.scale) scale = std::max(scale, std::abs(value));
        }
        return scale;
    };
    return largest(operands.q) * largest(operands.k) * std::log(2.0);
}

std::vector<std::string> check_outputs(const Case& c, const Outcome& outcome,
                                       const std::vector<double>& k_mean) {
    std::vector<std::string> lines;
    const Spec& spec = c.spec;
    const QuantizedOperands operands =
        quantize_operands(outcome.plan, outcome.problem, QuantizerArithmetic::kFp32, k_mean,
                          device_value_mean(c, outcome));
    const AttentionResult model = quantized_attention(outcome.plan, outcome.problem, operands);
    const AttentionResult exact = exact_attention(outcome.problem, spec.causal);

    // What rounding outside the quantizers may add: the output's own, exp2, and the accumulators'.
    double tolerance = spec.output_dtype == DataType::kBf16 ? 3e-3 : 1e-3;
    // P is rounded relative to a reference that need not be the row's maximum.
    if (spec.pv_type == PvType::kBf16) tolerance += 2e-3;
    tolerance += c.short_sums;
    if (spec.pv_accum == PvAccum::kFp32PromoteFp16) tolerance += 1e-3;
    if (spec.pv_accum == PvAccum::kFp16) tolerance += 4e-3;
    const Metrics against_model = compare(model.o, outcome.o);
    if (against_model.mismatched_nonfinite > 0) {
        lines.push_back(fmt::format("{} elements finite in the kernel or in the model only",
                                    against_model.mismatched_nonfinite));
    }
    if (!(against_model.rel_l1 <= tolerance)) {
        lines.push_back(
            fmt::format("rel_l1 to the model {} > {}", against_model.rel_l1, tolerance));
    }
    double largest_v = 0;
    for (const double value : outcome.problem.v) {
        if (std::isfinite(value)) largest_v = std::max(largest_v, std::abs(value));
    }
    double allowed = 4 * tolerance * largest_v;
    const bool biased = outcome.plan.target.family == Family::kWgmma;
    if (biased && spec.pv_type != PvType::kFp8) {
        // The score bias moves a logit by up to 0.75 steps (numerics.md), which the model follows
        // for e4m3 only: of two keys that share a row equally, by 0.375 of both steps.
        allowed += 0.75 * largest_step(operands) * largest_v;
    }
    if (!(against_model.max_abs <= allowed)) {
        lines.push_back(
            fmt::format("max_abs to the model {} > {}", against_model.max_abs, allowed));
    }
    const Metrics against_exact = compare(exact.o, outcome.o);
    const Metrics predicted = compare(exact.o, model.o);
    if (!(against_exact.rel_l1 <= 1.05 * predicted.rel_l1 + tolerance)) {
        lines.push_back(fmt::format("rel_l1 to fp64 {}, the model predicts {}",
                                    against_exact.rel_l1, predicted.rel_l1));
    }
    if (spec.lse) {
        const LseMetrics lse = compare_lse(model.lse, outcome.lse);
        if (lse.mismatched_nonfinite > 0) {
            lines.push_back(fmt::format("{} lse finite in the kernel or in the model only",
                                        lse.mismatched_nonfinite));
        }
        // The score bias costs half a quantization step of a logit; see numerics.md.
        double largest_lse = 0;
        for (const double value : model.lse) {
            if (std::isfinite(value)) largest_lse = std::max(largest_lse, std::abs(value));
        }
        double bound = 2e-3 + 1e-4 * largest_lse;
        if (biased) {
            bound = std::max(bound, 2e-3 + 0.75 * largest_step(operands));
        }
        if (!(lse.max_abs <= bound)) {
            lines.push_back(fmt::format("lse to the model {} > {}", lse.max_abs, bound));
        }
    }
    return lines;
}

std::vector<std::string> disagreements(const Case& c, const Outcome& outcome) {
    std::vector<double> k_mean;
    std::vector<std::string> lines = check_quantizers(c, outcome, k_mean);
    for (std::string& line : check_outputs(c, outcome, k_mean)) lines.push_back(std::move(line));
    return lines;
}

}  // namespace sagejit::test
