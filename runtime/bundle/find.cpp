#include "bundle/find.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <utility>

#include "bundle/describe.h"
#include "bundle/linked.h"
#include "sagejit/generator/error.h"
#include "sagejit/generator/source.h"
#include "sagejit/generator/workspace.h"
#include "target_rank.h"

namespace sagejit {
namespace {

struct Request {
    std::string identity;
    const Spec& spec;
    std::string plan, target;  // empty: any
    int major, minor;
};

bool is_asked_for(const BundleKernel& kernel, const Request& request) {
    return (kernel.asked == request.identity || kernel.spec == request.identity) &&
           (request.target.empty() || kernel.target == request.target) &&
           (request.plan.empty() || kernel.plan == request.plan);
}

// "thread-d64 for sm_80, sm_90a; thread-d128 for sm_80", not without end.
std::string contents_of(const Bundle& bundle) {
    constexpr size_t kMostNames = 20;
    std::map<std::string, std::vector<std::string>> targets;
    for (const BundleKernel& kernel : bundle.kernels()) {
        targets[kernel.name].push_back(kernel.target);
    }
    std::vector<std::string> parts;
    for (const auto& [name, names] : targets) {
        if (parts.size() == kMostNames) {
            parts.push_back(fmt::format("{} more", targets.size() - kMostNames));
            break;
        }
        parts.push_back(fmt::format("{} for {}", name, fmt::join(names, ", ")));
    }
    return parts.empty() ? "holds nothing" : fmt::format("holds {}", fmt::join(parts, "; "));
}

// Those of the bundle that run on the GPU, the most suitable first.
std::vector<const BundleKernel*> suitable_kernels(const Bundle& bundle, const Request& request) {
    std::vector<std::pair<int, const BundleKernel*>> ranked;
    for (const BundleKernel& kernel : bundle.kernels()) {
        if (!is_asked_for(kernel, request)) continue;
        const auto rank = target_rank(kernel.target, request.major, request.minor);
        if (rank) ranked.emplace_back(*rank, &kernel);
    }
    std::stable_sort(ranked.begin(), ranked.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<const BundleKernel*> kernels;
    for (const auto& [rank, kernel] : ranked) kernels.push_back(kernel);
    return kernels;
}

FoundKernel take(const Bundle& bundle, const BundleKernel& kernel, const Spec& spec) {
    FoundKernel found{plan_of(kernel), {}, bundle.cubin(kernel), bundle.origin()};
    // What the request said and the manifest leaves out.
    found.plan.spec.name = spec.name;
    found.plan.spec.target = spec.target;
    for (const LaunchStep& step : launch_steps(found.plan, Shape{1, 1, 1, 1, 1})) {
        found.entries.emplace_back(step.entry);
    }
    return found;
}

// True when the search is over.
bool search_bundle(const Bundle& bundle, const Request& request, BundleSearch& search) {
    const auto pass = [&](std::string reason, bool is_bad) {
        search.passed.push_back({bundle.origin(), std::move(reason), is_bad});
    };
    if (bundle.generator() != generator_id()) {
        pass(fmt::format("is from sagejit {}, and this is {}; {}", bundle.generator(),
                         generator_id(), contents_of(bundle)),
             true);
        return false;
    }
    const std::vector<const BundleKernel*> kernels = suitable_kernels(bundle, request);
    if (kernels.empty()) pass(contents_of(bundle), false);
    for (const BundleKernel* kernel : kernels) {
        try {
            search.found = take(bundle, *kernel, request.spec);
            return true;
        } catch (const Error& error) {
            const bool is_elsewhere = !error.where().empty() && error.where() != bundle.origin();
            pass((is_elsewhere ? error.where() + " " : "") + error.message(), true);
        }
    }
    return false;
}

}  // namespace

std::string BundleSearch::text() const {
    std::string text;
    for (const PassedBundle& bundle : passed) {
        text += fmt::format("\n  {}: {}", bundle.origin, bundle.reason);
    }
    return text;
}

BundleSearch find_in_bundles(const Spec& spec, const Plan* exact, int major, int minor,
                             std::span<const Bundle> bundles) {
    Request request{spec_identity(spec), spec, "", spec.target.value_or(""), major, minor};
    if (exact != nullptr) {
        request.plan = manifest_plan(*exact);
        request.target = exact->target.name;
    }
    BundleSearch search;
    visit_linked_bundles(
        [&](const Bundle* bundle, const std::string& name, const std::string& problem) {
            if (bundle != nullptr) return search_bundle(*bundle, request, search);
            search.passed.push_back({name, problem, true});
            return false;
        });
    for (const Bundle& bundle : bundles) {
        if (search.found || search_bundle(bundle, request, search)) break;
    }
    return search;
}

}  // namespace sagejit
