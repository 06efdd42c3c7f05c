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
    const BundleQuery& query;
    std::string plan, target;  // empty: any
};

// A kernel that runs on the GPU; lower ranks suit it better.
struct Suitable {
    const BundleKernel* kernel;
    int rank;
    TuningFit fit;
};

TuningFit best_fit(const BundleKernel& kernel, const BundleQuery& query) {
    TuningFit best;
    if (!query.use_tuning) return best;
    for (const BundleTuning& tuning : kernel.tuned) {
        const TuningFit fit =
            fit_of({tuning.device, tuning.multiprocessors, tuning.compute_capability, ""},
                   {tuning.rows, tuning.len_q, tuning.len_k}, query.device, query.shape);
        if (fit.match != TuningMatch::kNone && fit.at_least_as_good_as(best)) best = fit;
    }
    return best;
}

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
std::vector<Suitable> suitable_kernels(const Bundle& bundle, const Request& request) {
    std::vector<Suitable> kernels;
    for (const BundleKernel& kernel : bundle.kernels()) {
        if (!is_asked_for(kernel, request)) continue;
        const auto rank = target_rank(kernel.target, request.query.major, request.query.minor);
        if (rank) kernels.push_back({&kernel, *rank, best_fit(kernel, request.query)});
    }
    std::stable_sort(kernels.begin(), kernels.end(), [](const Suitable& a, const Suitable& b) {
        return a.rank != b.rank ? a.rank < b.rank : a.fit.better_than(b.fit);
    });
    return kernels;
}

FoundKernel take(const Bundle& bundle, const Suitable& suitable, const Spec& spec) {
    const BundleKernel& kernel = *suitable.kernel;
    FoundKernel found;
    found.plan = plan_of(kernel);
    found.cubin = bundle.cubin(kernel);
    found.origin = bundle.origin();
    found.checksum = bundle.checksum();
    found.number = kernel.cubin;
    found.tuning = suitable.fit.match;
    found.slow_code = kernel.slow_code;
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
    const std::vector<Suitable> kernels = suitable_kernels(bundle, request);
    if (kernels.empty()) pass(contents_of(bundle), false);
    for (const Suitable& kernel : kernels) {
        try {
            search.found = take(bundle, kernel, request.query.spec);
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

BundleSearch find_in_bundles(const BundleQuery& query, std::span<const Bundle> bundles) {
    Request request{spec_identity(query.spec), query, "", query.spec.target.value_or("")};
    if (query.exact != nullptr) {
        request.plan = manifest_plan(*query.exact);
        request.target = query.exact->target.name;
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
