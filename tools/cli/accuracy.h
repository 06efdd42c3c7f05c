// How close a result is to fp64 attention, and whether that is as close as it should be.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "attention_call.h"
#include "attention_input.h"
#include "output.h"
#include "reference/metrics.h"
#include "reference/problem.h"

namespace sagejit::cli {

// Exact attention of one input, remembered for each causal mode, so that several configs share it.
class References {
  public:
    References(const InputFile& input, float logit_scale);

    const AttentionProblem& problem() const { return problem_; }
    const AttentionResult& exact(CausalMode causal);

  private:
    AttentionProblem problem_;
    std::map<CausalMode, AttentionResult> exact_;
};

// A result against fp64 attention.
struct Accuracy {
    Metrics o;
    std::optional<LseMetrics> lse;
};

struct Verdict {
    Accuracy measured;   // of the device's result
    Accuracy predicted;  // of the fp64 model of the quantized algorithm
    double rel_l1_limit = 0;
    double lse_limit = 0;  // of lse_max_abs; only where there is an lse
    std::vector<std::string> failures;

    bool passed() const { return failures.empty(); }
};

// Compares a kernel's result with exact attention and with the model. max_rel_l1: one more limit.
Verdict judge(const Kernel& kernel, References& references, const AttentionOutput& output,
              const std::optional<double>& max_rel_l1);

// The metrics in the order of the documentation; lse's only where there is one.
Json accuracy_json(const Accuracy& accuracy);

}  // namespace sagejit::cli
