#include "bundle/describe.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sagejit/generator/error.h"
#include "sagejit/generator/workspace.h"

namespace sagejit {
namespace {

constexpr int kOneLine = -1;
constexpr const char* kFix = "make the bundle again with sagejit build";

bool has_entry(const BundleKernel& kernel, std::string_view symbol) {
    return std::any_of(kernel.entries.begin(), kernel.entries.end(),
                       [symbol](const CubinEntry& entry) { return entry.symbol == symbol; });
}

}  // namespace

std::string spec_identity(Spec spec) {
    spec.name.clear();
    spec.target.reset();
    return to_json(spec, kOneLine);
}

std::string manifest_plan(const Plan& plan) { return plan_json(plan, kOneLine); }

BundleKernel describe_kernel(const std::string& name, const Spec& asked, const Plan& plan,
                             const Source& source, std::vector<CubinEntry> entries,
                             std::vector<std::string> options) {
    BundleKernel kernel;
    kernel.name = name;
    kernel.asked = spec_identity(asked);
    kernel.spec = spec_identity(plan.spec);
    kernel.target = plan.target.name;
    kernel.plan = manifest_plan(plan);
    kernel.source_hash = source.hash;
    kernel.options = std::move(options);
    kernel.entries = std::move(entries);
    return kernel;
}

Plan plan_of(const BundleKernel& kernel) {
    Plan plan = make_plan(parse_spec(kernel.spec, "manifest"), find_target(kernel.target));
    if (manifest_plan(plan) != kernel.plan) {
        throw Error(ErrorCode::kInvalidInput,
                    fmt::format("the plan of {} for {} is not what its spec gives", kernel.name,
                                kernel.target),
                    "", kFix);
    }
    // Geometry depends on the shape, the entries only on the plan.
    for (const LaunchStep& step : launch_steps(plan, Shape{1, 1, 1, 1, 1})) {
        if (has_entry(kernel, step.entry)) continue;
        throw Error(
            ErrorCode::kInvalidInput,
            fmt::format("{} for {} has no entry {}", kernel.name, kernel.target, step.entry), "",
            kFix);
    }
    return plan;
}

}  // namespace sagejit
