#include "bundle/policy.h"

#include <fmt/format.h>

#include "driver.h"
#include "sagejit/generator/error.h"
#include "tune/choose.h"
#include "warning.h"

namespace sagejit {

std::string_view to_string(PreparePolicy policy) {
    switch (policy) {
        case PreparePolicy::kJit:
            return "jit";
        case PreparePolicy::kCacheOnly:
            return "cache_only";
        case PreparePolicy::kBundleOnly:
            return "bundle_only";
    }
    return "unknown";
}

void check_policy(const Device& device, const PrepareOptions& options) {
    const auto refuse = [&](const char* message, const char* fix) {
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("{} {}", to_string(options.policy), message), "policy", fix);
    };
    if (options.policy != PreparePolicy::kJit && device.is_host()) {
        refuse("is not possible on the host device, which compiles for itself", "use jit there");
    }
    if (options.policy == PreparePolicy::kCacheOnly && !options.use_cache) {
        refuse("contradicts use_cache = false", "leave the cache on, or use bundle_only");
    }
}

BundleSearch search_bundles(const Spec& spec, const Plan* exact, const Device& device,
                            const PrepareOptions& options) {
    const GpuInfo& gpu = gpu_info(device.ordinal());
    BundleSearch search =
        find_in_bundles({spec, exact, gpu.major, gpu.minor, describe_device(device), options.shape,
                         options.use_tuning},
                        options.bundles);
    if (search.found) return search;
    if (options.policy == PreparePolicy::kBundleOnly) {
        throw_not_built(spec, device, options, search.text());
    }
    for (const PassedBundle& bundle : search.passed) {
        if (bundle.is_bad) {
            warn_once(fmt::format("a bundle is passed over: {} {}", bundle.origin, bundle.reason));
        }
    }
    return search;
}

void throw_not_built(const Spec& spec, const Device& device, const PrepareOptions& options,
                     const std::string& searched) {
    const GpuInfo& gpu = gpu_info(device.ordinal());
    throw Error(
        ErrorCode::kNotBuilt,
        fmt::format("no kernel for {} on {} (compute capability {}.{}{}), and the policy {} "
                    "forbids compiling; searched:{}\n",
                    spec.name.empty() ? "this config" : spec.name, device.text(), gpu.major,
                    gpu.minor, spec.target ? ", target " + *spec.target : "",
                    to_string(options.policy), searched.empty() ? " no bundle" : searched),
        "prepare", "build a bundle with this config and target, or allow the policy jit");
}

}  // namespace sagejit
