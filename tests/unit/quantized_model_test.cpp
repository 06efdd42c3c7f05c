#include "reference/quantized_model.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "reference/attention.h"
#include "reference/metrics.h"
#include "tensor/distributions.h"
#include "tensor/half.h"

namespace sagejit {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Plan make_test_plan(Granularity granularity, int head_dim, int head_dim_v) {
    Plan plan;
    plan.spec.head_dim = head_dim;
    plan.spec.head_dim_v = head_dim_v;
    plan.spec.granularity = granularity;
    plan.tile_q = 64;
    plan.warp_q = 16;
    plan.tile_k = 64;
    return plan;
}

AttentionProblem draw(std::string_view distribution, const Shape& shape, int dim, int dim_v,
                      DataType dtype = DataType::kFp16) {
    AttentionInput input = make_input(distribution, shape, dim, dim_v, dtype, 1);
    return make_problem(input.q.ref(), input.k.ref(), input.v.ref(),
                        1 / std::sqrt(static_cast<double>(dim)));
}

AttentionResult run(const Plan& plan, const AttentionProblem& problem) {
    return quantized_attention(plan, problem, quantize_operands(plan, problem));
}

// One row at a time, tile by tile with the accumulators really rescaled, in natural logarithms,
// from operands that are dequantized first: the algorithm as a kernel would be described.
AttentionResult online_attention(const Plan& plan, const AttentionProblem& p,
                                 const QuantizedOperands& operands) {
    const auto& [batch, heads_q, heads_kv, len_q, len_k] = p.shape;
    const bool int8 = plan.spec.pv_type == PvType::kInt8;
    AttentionResult result;
    for (int64_t m = 0; m < batch * heads_q; ++m)
        for (int64_t i = 0; i < len_q; ++i) {
            const int64_t kv = m / (heads_q / heads_kv);
            const QuantizedRows<double>& q = operands.q[m];
            const QuantizedRows<double>& k = operands.k[kv];
            const int64_t visible = visible_keys(plan.spec.causal, i, len_q, len_k);
            double row_max = -kInfinity, normaliser = 0, sum = 0;
            std::vector<double> o(p.head_dim_v, 0.0);
            std::vector<double> scores;
            for (int64_t j = 0; j < visible; ++j) {
                double dot = 0;
                for (int64_t d = 0; d < p.head_dim; ++d)
                    dot += q.values[i * p.head_dim + d] * k.values[j * p.head_dim + d];
                scores.push_back(dot * q.scale[i] * k.scale[j] * std::log(2.0));
            }
            if (!int8 && visible > 0) row_max = *std::max_element(scores.begin(), scores.end());
            for (int64_t tile = 0; tile < visible; tile += plan.tile_k) {
                const int64_t end = std::min<int64_t>(visible, tile + plan.tile_k);
                const double before = row_max;
                for (int64_t j = tile; j < end; ++j) row_max = std::max(row_max, scores[j]);
                const double rescale = tile == 0 ? 1 : std::exp(before - row_max);
                sum *= rescale;
                normaliser *= rescale;
                for (double& value : o) value *= rescale;
                for (int64_t j = tile; j < end; ++j) {
                    const double exact = std::exp(scores[j] - row_max);
                    const double rounded = int8 ? std::nearbyint(exact * 255) / 255
                                                : round_to_half(exact, DataType::kFp16);
                    sum += exact;
                    normaliser += int8 ? rounded : exact;
                    for (int64_t d = 0; d < p.head_dim_v; ++d)
                        o[d] += rounded * operands.v[(kv * len_k + j) * p.head_dim_v + d];
                }
            }
            for (int64_t d = 0; d < p.head_dim_v; ++d) {
                const double scale = operands.v_scale[kv * p.head_dim_v + d];
                result.o.push_back(visible > 0 ? o[d] * scale / normaliser : 0);
            }
            double shift = 0;
            for (int64_t d = 0; d < p.head_dim; ++d)
                shift +=
                    p.q[(m * len_q + i) * p.head_dim + d] * operands.k_mean[kv * p.head_dim + d];
            result.lse.push_back(visible > 0 ? row_max + std::log(sum) + p.logit_scale * shift
                                             : -kInfinity);
        }
    return result;
}

}  // namespace

TEST_CASE("quantized model: agrees with the online algorithm in every variant") {
    const Shape shapes[] = {{2, 4, 2, 75, 150}, {1, 2, 1, 100, 70}};
    const std::pair<PvType, VPath> paths[] = {{PvType::kFp16, VPath::kDirect},
                                              {PvType::kFp16, VPath::kScaledFp16},
                                              {PvType::kInt8, VPath::kInt8}};
    for (const Shape& shape : shapes)
        for (const Granularity granularity :
             {Granularity::kTensor, Granularity::kToken, Granularity::kBlock, Granularity::kWarp,
              Granularity::kThread})
            for (const auto& [pv_type, v_path] : paths) {
                Plan plan = make_test_plan(granularity, 32, 24);
                plan.spec.pv_type = pv_type;
                plan.v_path = v_path;
                plan.spec.causal = static_cast<CausalMode>(static_cast<int>(granularity) % 3);
                plan.spec.smooth_k = shape.len_q < shape.len_k;
                CAPTURE(shape.len_q, static_cast<int>(granularity), static_cast<int>(v_path));
                const DataType dtype =
                    v_path == VPath::kScaledFp16 ? DataType::kBf16 : DataType::kFp16;
                AttentionProblem problem = draw("k_channel_bias", shape, 32, 24, dtype);
                // Scores that grow along the keys make the running maximum move in every tile.
                for (int64_t j = 0; j < static_cast<int64_t>(problem.k.size()); ++j)
                    problem.k[j] *= 1 + static_cast<double>(j / 32 % shape.len_k) / 100;
                const QuantizedOperands operands = quantize_operands(plan, problem);
                const AttentionResult expected = online_attention(plan, problem, operands);
                const AttentionResult actual = quantized_attention(plan, problem, operands);
                const Metrics o = compare(expected.o, actual.o);
                const LseMetrics lse = compare_lse(expected.lse, actual.lse);
                // A probability on the edge between two steps may fall to either side.
                CHECK(o.rel_l1 < 1e-6);
                CHECK(o.compared == static_cast<int64_t>(expected.o.size()));
                CHECK(lse.max_abs < 1e-11);
                CHECK(lse.mismatched_nonfinite == 0);
            }
}

TEST_CASE("quantized model: one key, by hand") {
    Plan plan = make_test_plan(Granularity::kToken, 8, 8);
    plan.spec.smooth_k = false;
    AttentionProblem problem = draw("normal", {1, 1, 1, 1, 2}, 8, 8);
    problem.q = {127, 0, 0, 0, 0, 0, 0, 0};
    problem.k = {1.27, 0, 0, 0, 0, 0, 0, 0, 127, 0.4, 0, 0, 0, 0, 0, 0};
    problem.v = {1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0};
    problem.logit_scale = 1 / (127 * 127 - 127 * 1.27);  // the logits differ by exactly one
    const AttentionResult result = run(plan, problem);
    const double weight = std::exp(-1.0);
    const double rounded = round_to_half(weight, DataType::kFp16);
    REQUIRE(rounded != weight);
    for (int d = 0; d < 8; ++d)
        CHECK(result.o[d] == Approx(rounded * (d + 1) / (1 + weight)).epsilon(1e-12));
    CHECK(result.lse[0] ==
          Approx(127 * 127 * problem.logit_scale + std::log(1 + weight)).epsilon(1e-12));

    plan.spec.pv_type = PvType::kInt8;
    plan.v_path = VPath::kInt8;
    const AttentionResult int8 = run(plan, problem);
    const double p = 94.0 / 255;  // 255 / e = 93.8
    for (int d = 0; d < 8; ++d) CHECK(int8.o[d] == Approx(p * (d + 1) / (1 + p)).epsilon(1e-12));
    CHECK(int8.lse[0] == Approx(result.lse[0]).epsilon(1e-14));
}

TEST_CASE("quantized model: stays as near to exact attention as the method promises") {
    const Shape shape = {1, 2, 2, 512, 512};
    const auto error = [&](std::string_view distribution, Granularity granularity, bool smooth_k,
                           PvType pv_type = PvType::kFp16) {
        Plan plan = make_test_plan(granularity, 64, 64);
        plan.spec.smooth_k = smooth_k;
        plan.spec.pv_type = pv_type;
        if (pv_type == PvType::kInt8) plan.v_path = VPath::kInt8;
        const AttentionProblem problem = draw(distribution, shape, 64, 64);
        const AttentionResult exact = exact_attention(problem, CausalMode::kNone);
        const AttentionResult quantized = run(plan, problem);
        const bool hard = !smooth_k || distribution == "outliers";
        CHECK(compare_lse(exact.lse, quantized.lse).max_abs < (hard ? 1 : 0.05));
        return compare(exact.o, quantized.o).rel_l1;
    };
    const double thread = error("normal", Granularity::kThread, true);
    CHECK(thread > 0.003);
    CHECK(thread < 0.013);
    CHECK(error("normal", Granularity::kToken, true) < thread);
    CHECK(error("normal", Granularity::kTensor, true) > thread);
    const double int8 = error("normal", Granularity::kThread, true, PvType::kInt8);
    CHECK(int8 > thread);
    CHECK(int8 < 0.05);
    // Smoothing is what keeps a channel bias from costing anything.
    CHECK(error("k_channel_bias", Granularity::kThread, true) < 0.013);
    CHECK(error("k_channel_bias", Granularity::kThread, false) > 0.03);
    CHECK(error("outliers", Granularity::kThread, true) >
          error("outliers", Granularity::kToken, true));
}

TEST_CASE("quantized model: fp32 integers are nearly always the fp64 ones") {
    const Plan plan = make_test_plan(Granularity::kThread, 64, 64);
    const AttentionProblem problem = draw("k_channel_bias", {1, 2, 2, 200, 300}, 64, 64);
    const QuantizedOperands exact = quantize_operands(plan, problem);
    const QuantizedOperands fp32 = quantize_operands(plan, problem, QuantizerArithmetic::kFp32);
    int differing = 0, far = 0;
    double worst_scale = 0;
    for (size_t m = 0; m < 2; ++m) {
        for (size_t i = 0; i < exact.k[m].values.size(); ++i) {
            const int difference = exact.k[m].values[i] - fp32.k[m].values[i];
            differing += difference != 0;
            far += std::abs(difference) > 1;
        }
        for (size_t i = 0; i < exact.q[m].scale.size(); ++i)
            worst_scale =
                std::max(worst_scale, std::abs(fp32.q[m].scale[i] / exact.q[m].scale[i] - 1));
    }
    CHECK(far == 0);
    CHECK(differing < 40);  // of 38400
    CHECK(worst_scale < 3e-7);
    CHECK(worst_scale > 0);
    const AttentionResult a = quantized_attention(plan, problem, exact);
    const AttentionResult b = quantized_attention(plan, problem, fp32);
    CHECK(compare(a.o, b.o).rel_l1 < 1e-4);

    // Another vector may be subtracted: the result hardly moves, and lse does not notice.
    std::vector<double> other = channel_means(problem);
    for (double& mean : other) mean += 0.25;
    const QuantizedOperands shifted =
        quantize_operands(plan, problem, QuantizerArithmetic::kFp64, other);
    CHECK(shifted.k_mean == other);
    CHECK(shifted.k[0].values != exact.k[0].values);
    const AttentionResult c = quantized_attention(plan, problem, shifted);
    CHECK(compare(a.o, c.o).rel_l1 < 0.02);
    CHECK(compare_lse(a.lse, c.lse).max_abs < 0.1);
}

TEST_CASE("quantized model: k_mean is the sum of the finite elements over all keys") {
    AttentionProblem problem = draw("normal", {1, 1, 1, 1, 4}, 8, 8);
    for (int j = 0; j < 4; ++j) {
        problem.k[j * 8] = j + 1;
        problem.k[j * 8 + 1] = j == 2 ? kInfinity : 1;
    }
    const std::vector<double> mean = channel_means(problem);
    CHECK(mean[0] == 2.5);
    CHECK(mean[1] == 0.75);
    problem.shape.len_k = 0;
    problem.k.clear();
    CHECK(channel_means(problem) == std::vector<double>(8, 0.0));
}

TEST_CASE("quantized model: a negative logit scale equals negated queries") {
    const Plan plan = make_test_plan(Granularity::kThread, 32, 32);
    AttentionProblem problem = draw("normal", {1, 1, 1, 40, 90}, 32, 32);
    const AttentionResult expected = run(plan, problem);
    problem.logit_scale = -problem.logit_scale;
    for (double& value : problem.q) value = -value;
    const AttentionResult actual = run(plan, problem);
    CHECK(actual.o == expected.o);
    CHECK(actual.lse == expected.lse);
}

TEST_CASE("quantized model: NaN and infinity") {
    const int64_t len = 100, dim = 32, bad = 70;
    for (const VPath v_path : {VPath::kDirect, VPath::kScaledFp16, VPath::kInt8})
        for (const double poison : {kNan, kInfinity}) {
            CAPTURE(static_cast<int>(v_path), poison);
            Plan plan = make_test_plan(Granularity::kThread, dim, dim);
            plan.spec.causal = CausalMode::kTopLeft;
            plan.v_path = v_path;
            if (v_path == VPath::kInt8) plan.spec.pv_type = PvType::kInt8;
            AttentionProblem problem = draw("normal", {1, 1, 1, len, len}, dim, dim);
            const AttentionResult clean = run(plan, problem);
            AttentionProblem q_bad = problem, k_bad = problem, v_bad = problem;
            q_bad.q[bad * dim + 3] = poison;
            k_bad.k[bad * dim + 3] = poison;
            v_bad.v[bad * dim + 3] = poison;
            const AttentionResult from_q = run(plan, q_bad);
            const AttentionResult from_k = run(plan, k_bad);
            const AttentionResult from_v = run(plan, v_bad);
            int q_rows = 0, k_rows = 0, v_elements = 0, lse_rows = 0;
            for (int64_t i = 0; i < len; ++i) {
                bool q_nan = true, k_nan = true;
                for (int64_t d = 0; d < dim; ++d) {
                    q_nan &= std::isnan(from_q.o[i * dim + d]);
                    k_nan &= std::isnan(from_k.o[i * dim + d]);
                    if (!std::isfinite(from_v.o[i * dim + d])) {
                        ++v_elements;
                        CHECK(d == 3);
                        CHECK(i >= bad);
                    }
                }
                q_rows += q_nan;
                k_rows += k_nan;
                CHECK(q_nan == (i == bad));
                CHECK(k_nan == (i >= bad));
                CHECK(std::isnan(from_q.lse[i]) == q_nan);
                CHECK(std::isnan(from_k.lse[i]) == k_nan);
                lse_rows += from_v.lse[i] == clean.lse[i];
            }
            CHECK(q_rows == 1);
            CHECK(k_rows == len - bad);
            CHECK(v_elements == len - bad);
            CHECK(lse_rows == len);
        }
}

TEST_CASE("quantized model: rows without keys, empty sizes, constant rows") {
    Plan plan = make_test_plan(Granularity::kThread, 32, 16);
    plan.spec.causal = CausalMode::kBottomRight;
    AttentionProblem masked = draw("normal", {1, 1, 1, 5, 3}, 32, 16);
    masked.q[0] = kNan;  // a row that sees nothing does not care
    const AttentionResult result = run(plan, masked);
    for (int i = 0; i < 5; ++i) {
        CHECK((result.lse[i] == -kInfinity) == (i < 2));
        for (int d = 0; d < 16; ++d) CHECK((result.o[i * 16 + d] == 0) == (i < 2));
    }
    const AttentionResult no_keys = run(plan, draw("normal", {1, 2, 1, 5, 0}, 32, 16));
    CHECK(no_keys.o == std::vector<double>(2 * 5 * 16, 0.0));
    CHECK(no_keys.lse == std::vector<double>(2 * 5, -kInfinity));
    CHECK(run(plan, draw("normal", {0, 2, 1, 5, 4}, 32, 16)).o.empty());
    CHECK(run(plan, draw("normal", {1, 2, 1, 0, 4}, 32, 16)).o.empty());

    // All keys alike: after smoothing nothing is left of them, and the output is V's mean.
    plan.spec.causal = CausalMode::kNone;
    const AttentionProblem constant = draw("constant_rows", {1, 1, 1, 4, 64}, 32, 16);
    const AttentionResult flat = run(plan, constant);
    const AttentionResult exact = exact_attention(constant, CausalMode::kNone);
    CHECK(compare(exact.o, flat.o).max_abs < 1e-9);
    CHECK(compare_lse(exact.lse, flat.lse).max_abs < 1e-9);
}

TEST_CASE("quantized model: output in the plan's type on request") {
    Plan plan = make_test_plan(Granularity::kThread, 32, 32);
    plan.spec.output_dtype = DataType::kBf16;
    const AttentionProblem problem = draw("normal", {1, 1, 1, 20, 20}, 32, 32);
    const QuantizedOperands operands = quantize_operands(plan, problem);
    const AttentionResult exact = quantized_attention(plan, problem, operands);
    const AttentionResult rounded = quantized_attention(plan, problem, operands, true);
    int wrong = 0, changed = 0;
    for (size_t i = 0; i < exact.o.size(); ++i) {
        wrong += rounded.o[i] != round_to_half(exact.o[i], DataType::kBf16);
        changed += rounded.o[i] != exact.o[i];
    }
    CHECK(wrong == 0);
    CHECK(changed > 600);
    CHECK(rounded.lse == exact.lse);
}

TEST_CASE("quantized model: a plan for other sizes is refused") {
    const AttentionProblem problem = draw("normal", {1, 1, 1, 20, 20}, 32, 32);
    CHECK_THROWS_AS(run(make_test_plan(Granularity::kThread, 64, 32), problem), Error);
    CHECK_THROWS_AS(run(make_test_plan(Granularity::kThread, 32, 64), problem), Error);
    Plan plan = make_test_plan(Granularity::kThread, 32, 32);
    plan.tile_k = 0;
    CHECK_THROWS_AS(run(plan, problem), Error);
    plan = make_test_plan(Granularity::kThread, 32, 32);
    const std::vector<double> short_mean(31);
    CHECK_THROWS_AS(quantize_operands(plan, problem, QuantizerArithmetic::kFp64, short_mean),
                    Error);
}

}  // namespace sagejit
