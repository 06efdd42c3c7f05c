// Kernels of the C API.
#include "kernel.h"

#include <algorithm>
#include <string>

#include "convert.h"
#include "options.h"
#include "sagejit/generator/source.h"
#include "status.h"

using namespace sagejit;

namespace {

PreparePolicy to_policy(int32_t policy) {
    switch (policy) {
        case SAGEJIT_POLICY_JIT:
            return PreparePolicy::kJit;
        case SAGEJIT_POLICY_CACHE_ONLY:
            return PreparePolicy::kCacheOnly;
        case SAGEJIT_POLICY_BUNDLE_ONLY:
            return PreparePolicy::kBundleOnly;
    }
    c::refuse("options.policy", "is no SAGEJIT_POLICY_...: " + std::to_string(policy));
}

bool to_flag(const char* name, int32_t value) {
    if (value != 0 && value != 1) {
        c::refuse(name, "expected 0 or 1, got " + std::to_string(value));
    }
    return value == 1;
}

PrepareOptions to_options(const sagejit_prepare_options* given) {
    PrepareOptions options;
    if (given == nullptr) return options;
    const sagejit_prepare_options read = c::read_sized(given, "options");
    if (read.cache_directory != nullptr) options.cache_directory = read.cache_directory;
    options.use_cache = !to_flag("options.no_cache", read.no_cache);
    options.use_tuning = !to_flag("options.no_tuning", read.no_tuning);
    options.host_seed = read.host_seed;
    options.allow_slow_code = to_flag("options.allow_slow_code", read.allow_slow_code);
    options.policy = to_policy(read.policy);
    if (read.bundle_count > 0) c::required(read.bundles, "options.bundles");
    for (size_t i = 0; i < read.bundle_count; ++i) {
        options.bundles.push_back(Bundle::open(c::required(read.bundles[i], "options.bundles")));
    }
    const auto& [batch, heads_q, heads_kv, len_q, len_k] = read.shape;
    if (batch != 0 || heads_q != 0 || heads_kv != 0 || len_q != 0 || len_k != 0) {
        options.shape = Shape{batch, heads_q, heads_kv, len_q, len_k};
        for (const int64_t size : read.shape) {
            if (size < 1) {
                c::refuse("options.shape",
                          "expected 1 or more, or all 0, got " + std::to_string(size));
            }
        }
    }
    if (read.timeout_ms < 0) {
        c::refuse("options.timeout_ms",
                  "expected 0 or more, got " + std::to_string(read.timeout_ms));
    }
    if (read.timeout_ms > 0) options.deadline = c::deadline_after(read.timeout_ms);
    return options;
}

// Sizes past what one structure holds are caught by read_sized, so the launch path pays one copy.
Arguments to_arguments(const sagejit_call* given) {
    const sagejit_call call = c::read_sized(given, "call");
    c::check_reserved("call.reserved", call.reserved);
    Arguments arguments;
    arguments.q = c::to_tensor(call.q, "call.q");
    arguments.k = c::to_tensor(call.k, "call.k");
    arguments.v = c::to_tensor(call.v, "call.v");
    arguments.o = c::to_tensor(call.o, "call.o");
    arguments.lse = call.lse;
    arguments.logit_scale = call.logit_scale != 0
                                ? call.logit_scale
                                : default_logit_scale(static_cast<int>(call.q.shape[3]));
    return arguments;
}

}  // namespace

PrepareOptions sagejit::c::to_prepare_options(const sagejit_prepare_options* given) {
    return to_options(given);
}

int32_t sagejit::c::from_tuning(TuningMatch match) {
    switch (match) {
        case TuningMatch::kNone:
            return SAGEJIT_TUNING_NONE;
        case TuningMatch::kOtherDevice:
            return SAGEJIT_TUNING_OTHER_DEVICE;
        case TuningMatch::kOtherShape:
            return SAGEJIT_TUNING_OTHER_SHAPE;
        case TuningMatch::kExact:
            return SAGEJIT_TUNING_EXACT;
    }
    return SAGEJIT_TUNING_NONE;
}

std::chrono::steady_clock::time_point sagejit::c::deadline_after(int64_t milliseconds) {
    constexpr int64_t kLongest = int64_t{1000} * 60 * 60 * 24 * 365;  // far from overflow
    return std::chrono::steady_clock::now() +
           std::chrono::milliseconds(std::min(milliseconds, kLongest));
}

const char* sagejit_version(void) { return generator_version().data(); }

sagejit_status sagejit_prepare(const char* config_json, sagejit_device device,
                               const sagejit_prepare_options* options, sagejit_kernel** kernel) {
    return c::guarded([&] {
        c::required(config_json, "config_json");
        c::required(kernel, "kernel");
        const PrepareOptions chosen = c::to_prepare_options(options);
        const Spec spec = parse_spec(config_json);
        *kernel = new sagejit_kernel(prepare(spec, c::to_device(device), chosen));
    });
}

void sagejit_kernel_retain(sagejit_kernel* kernel) {
    if (kernel != nullptr) kernel->owners.fetch_add(1, std::memory_order_relaxed);
}

void sagejit_kernel_release(sagejit_kernel* kernel) {
    if (kernel == nullptr) return;
    if (kernel->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) delete kernel;
}

sagejit_status sagejit_kernel_describe(const sagejit_kernel* kernel, sagejit_kernel_info* info) {
    return c::guarded([&] {
        const sagejit_kernel& self = *c::required(kernel, "kernel");
        const PrepareReport& report = self.kernel.report();
        sagejit_kernel_info known = SAGEJIT_KERNEL_INFO_INIT;
        known.device = c::from_device(self.kernel.device());
        known.target = self.target.c_str();
        known.plan_json = self.plan.c_str();
        known.from_cache = report.from_cache ? 1 : 0;
        known.tuning = c::from_tuning(report.tuning);
        known.compile_ms = report.compile_ms;
        known.load_ms = report.load_ms;
        known.bundle = report.bundle.c_str();
        c::write_sized(known, info, "info");
    });
}

sagejit_status sagejit_kernel_workspace_size(const sagejit_kernel* kernel, const sagejit_call* call,
                                             size_t* bytes) {
    return c::guarded([&] {
        const Kernel& self = c::required(kernel, "kernel")->kernel;
        c::required(bytes, "bytes");
        *bytes = self.workspace_size(shape_of(to_arguments(call)));
    });
}

sagejit_status sagejit_kernel_launch(const sagejit_kernel* kernel, const sagejit_call* call,
                                     void* workspace, size_t workspace_bytes, void* stream) {
    return c::guarded([&] {
        c::required(kernel, "kernel")
            ->kernel.launch(to_arguments(call), workspace, workspace_bytes, stream);
    });
}
