#include "sagejit/generator/plan.h"

#include "plan_families.h"

namespace sagejit {

std::string_view to_string(VPath value) {
    switch (value) {
        case VPath::kDirect:
            return "direct";
        case VPath::kScaledFp16:
            return "scaled_fp16";
        case VPath::kInt8:
            return "int8";
        case VPath::kFp8:
            return "fp8";
    }
    return "unknown";
}

std::vector<Plan> candidates(const Spec& spec, const Target& target) {
    validate(spec);
    switch (target.family) {
        case Family::kMmaSync:
            return mma_candidates(spec, target);
        case Family::kWgmma:
            return wgmma_candidates(spec, target);
    }
    return {};
}

bool supports(const Target& target, const Spec& spec) { return !candidates(spec, target).empty(); }

Plan make_plan(const Spec& spec, const Target& target) {
    std::vector<Plan> legal = candidates(spec, target);
    if (!legal.empty()) return std::move(legal.front());
    if (target.family == Family::kWgmma) refuse_wgmma(spec, target);
    refuse_mma(spec, target);
}

const Target& best_target(const Spec& spec, int major, int minor) {
    const std::vector<const Target*> targets = targets_for_device(major, minor);
    for (const Target* target : targets) {
        if (supports(*target, spec)) return *target;
    }
    return *targets.back();
}

}  // namespace sagejit
