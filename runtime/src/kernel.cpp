// prepare and Kernel: spec to plan to source to something that launches.
#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <span>
#include <utility>

#include "bundle/policy.h"
#include "cache_directory.h"
#include "call_geometry.h"
#include "driver.h"
#include "executor.h"
#include "fork_safe.h"
#include "registry.h"
#include "sagejit/generator/source.h"
#include "sagejit/phases.h"
#include "sagejit/sagejit.h"
#include "slow_code.h"
#include "target_rank.h"
#include "tune/choose.h"
#include "warning.h"

namespace sagejit {

struct Kernel::State {
    State(Plan the_plan, Device the_device, PrepareReport the_report,
          std::shared_ptr<const Executor> the_executor)
        : recent(plan, *the_executor),
          executor(std::move(the_executor)),
          plan(std::move(the_plan)),
          device(the_device),
          report(the_report) {}

    mutable CallGeometry recent;               // first: what a launch reads
    std::shared_ptr<const Executor> executor;  // kernels of one plan may share it
    Plan plan;
    Device device;
    PrepareReport report;
};

namespace {

// Throws Error(kUnsupportedTarget) unless code for the target runs on the GPU.
void check_runs(const Target& target, const Device& device) {
    const GpuInfo& gpu = gpu_info(device.ordinal());
    if (target_rank(target.name, gpu.major, gpu.minor)) return;
    throw Error(ErrorCode::kUnsupportedTarget,
                fmt::format("{} does not run on {} ({}, compute capability {}.{})", target.name,
                            device.text(), gpu.name, gpu.major, gpu.minor),
                "target",
                fmt::format("use {}, leave the target out, or run on the host device",
                            device.target().name));
}

const Target& choose_target(const Spec& spec, const Device& device) {
    if (!device.is_host() && !spec.target) return device.target_for(spec);
    const Target& target =
        find_target(spec.target ? std::string_view(*spec.target) : kDefaultTarget);
    if (!device.is_host()) check_runs(target, device);
    return target;
}

[[noreturn, gnu::cold]] void throw_moved_from() {
    throw Error(ErrorCode::kNotPrepared, "this Kernel was moved from, and holds nothing", "kernel",
                "use the one that prepare returned");
}

inline const Kernel::State& prepared(const std::shared_ptr<const Kernel::State>& state) {
    if (state == nullptr) throw_moved_from();
    return *state;
}

}  // namespace

const Plan& Kernel::plan() const { return prepared(state_).plan; }
const Device& Kernel::device() const { return prepared(state_).device; }
const PrepareReport& Kernel::report() const { return prepared(state_).report; }

size_t Kernel::workspace_size(const Shape& shape) const {
    return make_workspace(plan(), shape).bytes;
}

namespace {

// A kernel's most recent geometry, for a scope.
class Loan {
  public:
    explicit Loan(CallGeometry& geometry) : geometry_(geometry) {}
    ~Loan() { geometry_.give_back(); }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;

  private:
    CallGeometry& geometry_;
};

// A launch while another thread's has the geometry.
[[gnu::cold]] void launch_apart(const Kernel::State& state, void (CallGeometry::*launch)(),
                                const Arguments& arguments, void* workspace, size_t workspace_bytes,
                                void* stream) {
    CallGeometry geometry(state.plan, *state.executor);
    geometry.set(arguments, workspace, workspace_bytes, stream);
    (geometry.*launch)();
}

// By one of the two functions of CallGeometry that launch.
template <void (CallGeometry::*launch)()>
[[gnu::always_inline]] inline void launch_by(const Kernel::State& state, const Arguments& arguments,
                                             void* workspace, size_t workspace_bytes,
                                             void* stream) {
    CallGeometry& geometry = state.recent;
    if (!geometry.borrow()) [[unlikely]] {
        return launch_apart(state, launch, arguments, workspace, workspace_bytes, stream);
    }
    const Loan loan(geometry);
    geometry.set(arguments, workspace, workspace_bytes, stream);
    (geometry.*launch)();
}

}  // namespace

[[gnu::hot, gnu::aligned(64)]] void Kernel::launch(const Arguments& arguments, void* workspace,
                                                   size_t workspace_bytes, void* stream) const {
    launch_by<&CallGeometry::launch>(prepared(state_), arguments, workspace, workspace_bytes,
                                     stream);
}

void Kernel::launch_attention(const Arguments& arguments, void* workspace, size_t workspace_bytes,
                              void* stream) const {
    launch_by<&CallGeometry::launch_attention>(prepared(state_), arguments, workspace,
                                               workspace_bytes, stream);
}

void KernelPhases::launch(const Kernel& kernel, Phase phase, const Arguments& arguments,
                          void* workspace, size_t workspace_bytes, void* stream) {
    if (phase == Phase::kAttention) {
        kernel.launch_attention(arguments, workspace, workspace_bytes, stream);
    } else {
        kernel.launch(arguments, workspace, workspace_bytes, stream);
    }
}

namespace {

// What is loaded, by where it came from, for as long as a kernel holds it. Sizes of many buckets
// get the same plan: its code is loaded once.
struct LoadedCode {
    std::mutex mutex;
    std::map<std::string, std::weak_ptr<const Executor>> executors;
};

template <typename Load>
std::shared_ptr<const Executor> loaded_once(const std::string& code, const Load& load) {
    LoadedCode& loaded = fork_safe<LoadedCode>();
    {
        const std::lock_guard lock(loaded.mutex);
        const auto found = loaded.executors.find(code);
        if (found != loaded.executors.end()) {
            if (auto executor = found->second.lock()) return executor;
        }
    }
    std::shared_ptr<const Executor> executor = load();
    const std::lock_guard lock(loaded.mutex);
    std::erase_if(loaded.executors, [](const auto& each) { return each.second.expired(); });
    loaded.executors[code] = executor;
    return executor;
}

// Everything that decides what code a source becomes, and where it may come from.
std::string code_of(const Source& source, const Device& device, const PrepareOptions& options) {
    const char* flags = std::getenv("NVRTC_APPEND_FLAGS");
    return fmt::format(
        "{} {} {} {} {}", device.text(), source.hash, to_string(options.policy),
        flags != nullptr ? flags : "",
        (options.cache_directory.empty() ? default_cache_directory() : options.cache_directory)
            .string());
}

Kernel load_found(FoundKernel found, const Device& device, const PrepareOptions& options) {
    PrepareReport report;
    report.bundle = found.origin;
    report.tuning = found.tuning;
    report.slow_code = found.slow_code;
    if (!report.slow_code.empty() && !options.allow_slow_code) {
        warn_once(fmt::format("a kernel for {} of the bundle {} is slow: {}",
                              found.plan.target.name, found.origin, report.slow_code));
    }
    const std::string code = fmt::format("{} bundle {} {} {}", device.text(), found.checksum,
                                         found.number, plan_json(found.plan, -1));
    auto executor = loaded_once(code, [&] {
        return load_cuda_executor(found.plan, found.entries, device, found.cubin, report);
    });
    return Kernel(std::make_shared<const Kernel::State>(std::move(found.plan), device,
                                                        std::move(report), std::move(executor)));
}

// search: what came of looking in the bundles, for the error where compiling is not allowed.
// asked: the spec before any plan filled it in; null for a plan of the caller's choice.
Kernel make_kernel(const ChosenPlan& chosen, const Spec* asked, const Device& device,
                   const PrepareOptions& options, const BundleSearch& search) {
    const Plan& plan = chosen.plan;
    const Source source = emit(plan);
    PrepareReport report;
    report.tuning = chosen.match;
    std::shared_ptr<const Executor> executor;
    try {
        if (device.is_host()) {
            executor = make_host_executor(plan, source, options, report);
        } else if (!options.use_cache) {
            executor = make_cuda_executor(plan, source, device, options, report);
        } else {
            report.from_cache = true;  // unless it has to be made
            executor = loaded_once(code_of(source, device, options), [&] {
                return make_cuda_executor(plan, source, device, options, report);
            });
        }
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kNotBuilt) throw;
        throw_not_built(plan.spec, device, options,
                        fmt::format("{}\n  {}: {}", search.text(), error.where(), error.message()));
    }
    report.slow_code = executor->slow_code;
    if (!report.slow_code.empty() && !options.allow_slow_code) {
        if (chosen.match != TuningMatch::kNone) {
            warn_once("the plan of a tuning record is not taken: " + report.slow_code);
            const ChosenPlan standard{make_plan(*asked, plan.target), TuningMatch::kNone, {}};
            return make_kernel(standard, asked, device, options, search);
        }
        if (asked == nullptr || chooses_tiles(*asked)) throw_slow_code(plan, report.slow_code);
        warn_once(
            fmt::format("the default plan for {} is slow: {}", plan.target.name, report.slow_code));
    }
    return Kernel(std::make_shared<const Kernel::State>(plan, device, report, std::move(executor)));
}

}  // namespace

Kernel prepare(const Spec& spec, const Device& device, const PrepareOptions& options) {
    check_policy(device, options);
    return prepare_shared(spec, device, options, [spec, device](const PrepareOptions& inner) {
        BundleSearch search;
        if (!device.is_host()) {
            if (spec.target) check_runs(find_target(*spec.target), device);
            search = search_bundles(spec, nullptr, device, inner);
            if (search.found) return load_found(*std::move(search.found), device, inner);
        }
        const Target& target = choose_target(spec, device);
        const ChosenPlan chosen =
            inner.use_tuning
                ? choose_plan(spec, target, device, inner.shape, inner.cache_directory)
                : ChosenPlan{make_plan(spec, target), TuningMatch::kNone, std::nullopt};
        return make_kernel(chosen, &spec, device, inner, search);
    });
}

bool is_choice_for(const Kernel& kernel, const Spec& spec, const Device& device,
                   const Shape& shape) {
    if (device.is_host()) return true;
    PrepareOptions options;
    options.shape = shape;
    if (search_bundles(spec, nullptr, device, options).found) return false;
    const ChosenPlan chosen = choose_plan(spec, choose_target(spec, device), device, shape, {});
    return chosen.plan.target.name == kernel.plan().target.name &&
           plan_choices(chosen.plan) == plan_choices(kernel.plan());
}

Kernel prepare(const Plan& plan, const Device& device, const PrepareOptions& options) {
    check_policy(device, options);
    BundleSearch search;
    if (!device.is_host()) {
        check_runs(plan.target, device);
        search = search_bundles(plan.spec, &plan, device, options);
        if (search.found) return load_found(*std::move(search.found), device, options);
    }
    return make_kernel({plan, TuningMatch::kNone, {}}, nullptr, device, options, search);
}

}  // namespace sagejit
