#include "accuracy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reference/attention.h"
#include "reference/quantized_model.h"
#include "tensor/half.h"

namespace sagejit::cli {
namespace {

// A kernel may miss the model's error by this share of it,
constexpr double kShare = 0.05;
// and by this much, for what the model does not round: sums in fp32, exponentials.
constexpr double kRelL1Slack = 5e-4;
// Sums in fp16 add an error of their own, independent of the model's, that grows with the square
// root of the number of keys summed: each of the keys / 16 additions rounds by up to 2^-11.
constexpr double kFp16SumError = 6e-5;
// Hopper's tensor cores truncate sums of e4m3 products: up to 0.0052 of attention that is even, on
// one H200 (docs/benchmarks/h200.md). The host device does not.
constexpr double kE4m3SumError = 6e-3;
// lse is a sum of terms of about its own size, so its rounding grows with it.
constexpr double kLseSlack = 1e-4;

double largest_finite(const std::vector<double>& values) {
    double largest = 0;
    for (const double value : values) {
        if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
    }
    return largest;
}

// How many keys are summed in fp16.
double keys_in_fp16(const Plan& plan, double len_k) {
    switch (plan.spec.pv_accum) {
        case PvAccum::kFp16:
            return len_k;
        case PvAccum::kFp32PromoteFp16:
            return std::min(len_k, static_cast<double>(plan.tile_k));
        case PvAccum::kFp32:
        case PvAccum::kFp32PromoteInt32:
        case PvAccum::kFp32PromoteFp32:
            return 0;
    }
    return 0;
}

double rel_l1_limit(const Kernel& kernel, const Shape& shape, double predicted) {
    const Plan& plan = kernel.plan();
    double sums = kFp16SumError * std::sqrt(keys_in_fp16(plan, static_cast<double>(shape.len_k)));
    if (plan.v_path == VPath::kFp8 && !kernel.device().is_host()) sums = kE4m3SumError;
    return (1 + kShare) * std::hypot(predicted, sums) + kRelL1Slack;
}

// Elements that are finite in one only. The model follows the documented rules for NaN and
// infinities, so a kernel must agree with it, not with the formula.
int64_t disagreements(const AttentionResult& model, const std::vector<double>& o,
                      const std::vector<float>& lse) {
    int64_t count = compare(model.o, o).mismatched_nonfinite;
    if (!lse.empty()) count += compare_lse(model.lse, lse).mismatched_nonfinite;
    return count;
}

}  // namespace

References::References(const InputFile& input, float logit_scale)
    : problem_(make_problem(const_ref(input.q), const_ref(input.k), const_ref(input.v),
                            static_cast<double>(logit_scale))) {}

const AttentionResult& References::exact(CausalMode causal) {
    const auto known = exact_.find(causal);
    if (known != exact_.end()) return known->second;
    return exact_.emplace(causal, exact_attention(problem_, causal)).first->second;
}

Verdict judge(const Kernel& kernel, References& references, const AttentionOutput& output,
              const std::optional<double>& max_rel_l1) {
    const Plan& plan = kernel.plan();
    const AttentionResult& exact = references.exact(plan.spec.causal);
    const AttentionResult model =
        quantized_attention(plan, references.problem(),
                            quantize_operands(plan, references.problem()), /*round_output=*/true);
    const std::vector<double> o = widen_to_double(output.o.bits(), output.o.dtype);
    Verdict verdict;
    verdict.measured.o = compare(exact.o, o);
    verdict.predicted.o = compare(exact.o, model.o);
    verdict.rel_l1_limit =
        rel_l1_limit(kernel, references.problem().shape, verdict.predicted.o.rel_l1);
    const auto fail = [&verdict](std::string reason) {
        verdict.failures.push_back(std::move(reason));
    };
    const auto check_rel_l1 = [&](double limit, const char* what) {
        if (verdict.measured.o.rel_l1 <= limit) return;
        fail(fmt::format("rel_l1 {:.6g} is above {:.6g}, {}", verdict.measured.o.rel_l1, limit,
                         what));
    };
    check_rel_l1(verdict.rel_l1_limit, "the limit from the model");
    if (max_rel_l1) check_rel_l1(*max_rel_l1, "the limit of --max-rel-l1");
    if (plan.spec.lse) {
        verdict.measured.lse = compare_lse(exact.lse, output.lse);
        verdict.predicted.lse = compare_lse(exact.lse, model.lse);
        verdict.lse_limit = (1 + kShare) * verdict.predicted.lse->max_abs +
                            kLseSlack * std::max(1.0, largest_finite(exact.lse));
        if (!(verdict.measured.lse->max_abs <= verdict.lse_limit)) {
            fail(fmt::format("lse_max_abs {:.6g} is above {:.6g}, the limit from the model",
                             verdict.measured.lse->max_abs, verdict.lse_limit));
        }
    }
    const int64_t one_sided = disagreements(model, o, output.lse);
    if (one_sided > 0) {
        fail(fmt::format("{} elements are finite in only one of result and model", one_sided));
    }
    return verdict;
}

Json accuracy_json(const Accuracy& accuracy) {
    Json fields = {{"cosine", accuracy.o.cosine},
                   {"rel_l1", accuracy.o.rel_l1},
                   {"rmse", accuracy.o.rmse},
                   {"max_abs", accuracy.o.max_abs},
                   {"nonfinite_both", accuracy.o.both_nonfinite},
                   {"nonfinite_one_sided", accuracy.o.mismatched_nonfinite}};
    if (accuracy.lse) fields["lse_max_abs"] = accuracy.lse->max_abs;
    return fields;
}

}  // namespace sagejit::cli
