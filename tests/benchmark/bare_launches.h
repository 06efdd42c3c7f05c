// The driver's part of a launch alone: what sagejit's is held against.
#pragma once

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "cuda_tensor_map.h"
#include "driver.h"
#include "driver/problem.h"
#include "executor.h"
#include "launch.h"
#include "obtain_cubin.h"
#include "sagejit/generator/source.h"
#include "sagejit/stream.h"
#include "value_map.h"

namespace sagejit::test {

// A few microseconds for a GPU: the least work that still has every launch.
inline constexpr Shape kLaunchShape{1, 2, 1, 64, 64};

// Makes tensor maps and launches nothing.
class MapEncoder : public Executor {
  public:
    ReadyStep make_ready(const LaunchStep&, bool) const override { return {}; }
    void encode_tensor_map(const TensorMapRequest& request, abi::TensorMap& map) const override {
        encode_cuda_tensor_map(driver_api(), request, map);
    }
};

// A prepared kernel with its problem.
struct LaunchBench {
    explicit LaunchBench(const char* config)
        : spec(shipped_config(config)),
          device(Device::cuda(0)),
          kernel(prepare(spec, device)),
          problem(device, kernel.plan(), kLaunchShape),
          stream(device) {}

    Spec spec;
    Device device;
    Kernel kernel;
    DeviceProblem problem;
    Stream stream;
};

// The same calls of the driver, with all their arguments at hand.
class BareLaunches {
  public:
    explicit BareLaunches(const LaunchBench& b) : api_(driver_api()) {
        load(b.kernel.plan());
        const Plan& plan = b.kernel.plan();
        const Shape shape = shape_of(b.problem.arguments());
        const Workspace layout = make_workspace(plan, shape);
        call_ = make_call(b.problem.arguments(), shape, layout, b.problem.workspace());
        if (set_value_path(plan, call_)) {
            add_value_map(plan, b.problem.arguments(), MapEncoder(), call_);
        }
        overlap_.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
        overlap_.value.programmaticStreamSerializationAllowed = 1;
        for (const LaunchStep& step : launch_steps(plan, shape, layout)) {
            Launch& launch = launches_.emplace_back();
            const int64_t at_once = int64_t{gpu_info(0).multiprocessors} * step.ctas_per_sm /
                                    step.cluster * step.cluster;
            launch.config.gridDimX = static_cast<unsigned>(
                step.ctas_per_sm > 0 ? std::min(step.ctas, at_once) : step.ctas);
            launch.config.gridDimY = launch.config.gridDimZ = 1;
            launch.config.blockDimX = static_cast<unsigned>(step.threads);
            launch.config.blockDimY = launch.config.blockDimZ = 1;
            launch.config.sharedMemBytes = static_cast<unsigned>(step.shared_bytes);
            launch.config.hStream = static_cast<CUstream>(b.stream.handle());
            launch.config.attrs = &overlap_;
            launch.config.numAttrs = step.may_overlap && launches_.size() > 1 ? 1 : 0;
            launch.function = functions_.at(std::string(step.entry));
        }
        // Once with a look at what the driver says: a launch that it refuses costs little.
        for (const Launch& launch : launches_) {
            api_.check(launch_(&launch.config, launch.function, parameters_, nullptr),
                       "cuLaunchKernelEx");
        }
        b.stream.synchronize();
    }
    BareLaunches(const BareLaunches&) = delete;
    BareLaunches& operator=(const BareLaunches&) = delete;

    void run() {
        for (const Launch& launch : launches_) {
            launch_(&launch.config, launch.function, parameters_, nullptr);
        }
    }
    // By another function of the same kind.
    void run_by(decltype(&::cuLaunchKernelEx) function) {
        for (const Launch& launch : launches_) {
            function(&launch.config, launch.function, parameters_, nullptr);
        }
    }
    size_t count() const { return launches_.size(); }

  private:
    struct Launch {
        CUlaunchConfig config{};
        CUfunction function = nullptr;
    };

    // The cubin once more, without sagejit's part in launching it.
    void load(const Plan& plan) {
        const Source source = emit(plan);
        const ObtainedCubin obtained =
            obtain_cubin(source.text, generator_version(), plan.target.name, "bench.cu", {});
        CUlibrary library = nullptr;
        api_.check(api_.library_load_data(&library, obtained.cubin->bytes.data(), nullptr, nullptr,
                                          0, nullptr, nullptr, 0),
                   "cuLibraryLoadData");
        for (const LaunchStep& step : launch_steps(plan, Shape{1, 1, 1, 1, 1})) {
            CUkernel entry = nullptr;
            const std::string name(step.entry);
            api_.check(api_.library_get_kernel(&entry, library, name.c_str()),
                       "cuLibraryGetKernel");
            api_.check(api_.kernel_set_attribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                                 step.shared_bytes, entry, device_handle(0)),
                       "cuKernelSetAttribute");
            api_.check(api_.kernel_get_function(&functions_[name], entry), "cuKernelGetFunction");
        }
    }

    const DriverApi& api_;
    const decltype(&::cuLaunchKernelEx) launch_ = api_.launch_kernel_ex;
    std::map<std::string, CUfunction> functions_;
    abi::Call call_{};
    void* parameters_[1] = {&call_};
    CUlaunchAttribute overlap_{};
    std::vector<Launch> launches_;
};

}  // namespace sagejit::test
