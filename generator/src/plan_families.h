// What each family of kernels brings to the planner.
#pragma once

#include <vector>

#include "sagejit/generator/error.h"
#include "sagejit/generator/plan.h"

namespace sagejit {

// All legal plans of a family for a valid spec, the default first; empty where it cannot.
std::vector<Plan> mma_candidates(const Spec& spec, const Target& target);
std::vector<Plan> wgmma_candidates(const Spec& spec, const Target& target);

// Throws Error(kUnsupportedTarget) that says why a family has no plan for a spec.
[[noreturn]] void refuse_mma(const Spec& spec, const Target& target);
[[noreturn]] void refuse_wgmma(const Spec& spec, const Target& target);

inline int round_up(int value, int multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

inline int power_of_two_at_least(int value) {
    int result = 1;
    while (result < value) result *= 2;
    return result;
}

}  // namespace sagejit
