// prepare and Kernel: spec to plan to source to something that launches.
#include <fmt/format.h>

#include <span>
#include <utility>

#include "arguments.h"
#include "call_geometry.h"
#include "driver.h"
#include "executor.h"
#include "launch.h"
#include "sagejit/generator/source.h"
#include "sagejit/phases.h"
#include "sagejit/sagejit.h"

namespace sagejit {

struct Kernel::State {
    State(Plan the_plan, Device the_device, PrepareReport the_report,
          std::unique_ptr<Executor> the_executor)
        : plan(std::move(the_plan)),
          device(the_device),
          report(the_report),
          executor(std::move(the_executor)) {}

    Plan plan;
    Device device;
    PrepareReport report;
    std::unique_ptr<Executor> executor;
    mutable RecentGeometry recent;
};

namespace {

// Whether code for a target runs on a GPU: same major version, lower or equal minor. The Tegra
// part (sm_87) shares code with no other.
bool runs_on(const Target& target, const GpuInfo& gpu) {
    constexpr int kTegra = 87;
    const int arch = gpu.major * 10 + gpu.minor;
    if (target.arch == kTegra || arch == kTegra) return target.arch == arch;
    return target.arch / 10 == gpu.major && target.arch % 10 <= gpu.minor;
}

// Throws Error(kUnsupportedTarget) unless code for the target runs on the GPU.
void check_runs(const Target& target, const Device& device) {
    const GpuInfo& gpu = gpu_info(device.ordinal());
    if (runs_on(target, gpu)) return;
    throw Error(ErrorCode::kUnsupportedTarget,
                fmt::format("{} does not run on {} ({}, compute capability {}.{})", target.name,
                            device.text(), gpu.name, gpu.major, gpu.minor),
                "target",
                fmt::format("use {}, leave the target out, or run on the host device",
                            device.target().name));
}

const Target& choose_target(const Spec& spec, const Device& device) {
    if (!device.is_host() && !spec.target) return device.target();
    const Target& target =
        find_target(spec.target ? std::string_view(*spec.target) : kDefaultTarget);
    if (!device.is_host()) check_runs(target, device);
    return target;
}

const Kernel::State& prepared(const std::shared_ptr<const Kernel::State>& state) {
    if (state != nullptr) return *state;
    throw Error(ErrorCode::kNotPrepared, "this Kernel was moved from, and holds nothing", "kernel",
                "use the one that prepare returned");
}

}  // namespace

const Plan& Kernel::plan() const { return prepared(state_).plan; }
const Device& Kernel::device() const { return prepared(state_).device; }
const PrepareReport& Kernel::report() const { return prepared(state_).report; }

size_t Kernel::workspace_size(const Shape& shape) const {
    return make_workspace(plan(), shape).bytes;
}

void Kernel::launch(const Arguments& arguments, void* workspace, size_t workspace_bytes,
                    void* stream) const {
    launch_from(/*attention_only=*/false, arguments, workspace, workspace_bytes, stream);
}

void Kernel::launch_from(bool attention_only, const Arguments& arguments, void* workspace,
                         size_t workspace_bytes, void* stream) const {
    const State& state = prepared(state_);
    RecentGeometry::Loan loan(state.recent);
    CallGeometry& geometry = *loan;
    if (!geometry.fits(arguments)) geometry.work_out(state.plan, arguments);
    check_values(state.plan, arguments, geometry.shape());
    const Workspace& layout = geometry.workspace();
    check_workspace(workspace, workspace_bytes, layout.bytes);
    const std::span<const LaunchStep> steps(geometry.steps());
    if (steps.empty()) return;
    set_call_values(geometry.call(), arguments, layout, workspace);
    state.executor->run(attention_only ? steps.last(1) : steps, geometry.call(), stream);
}

void KernelPhases::launch(const Kernel& kernel, Phase phase, const Arguments& arguments,
                          void* workspace, size_t workspace_bytes, void* stream) {
    kernel.launch_from(phase == Phase::kAttention, arguments, workspace, workspace_bytes, stream);
}

Kernel prepare(const Spec& spec, const Device& device, const PrepareOptions& options) {
    return prepare(make_plan(spec, choose_target(spec, device)), device, options);
}

Kernel prepare(const Plan& plan, const Device& device, const PrepareOptions& options) {
    if (!device.is_host()) check_runs(plan.target, device);
    const Source source = emit(plan);
    PrepareReport report;
    std::unique_ptr<Executor> executor =
        device.is_host() ? make_host_executor(plan, source, options, report)
                         : make_cuda_executor(plan, source, device, options, report);
    return Kernel(
        std::make_shared<const Kernel::State>(plan, device, report, std::move(executor)));
}

}  // namespace sagejit
