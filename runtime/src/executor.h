// What runs compiled kernels: the CUDA driver or the host device. Internal to runtime/.
#pragma once

#include <cuda.h>

#include <memory>
#include <span>
#include <string>

#include "call.h"
#include "sagejit/generator/source.h"
#include "sagejit/generator/workspace.h"
#include "sagejit/sagejit.h"
#include "tensor_map.h"

namespace sagejit {

struct DriverApi;

// A step as its executor launches it, worked out once for many calls of the same sizes: on a GPU
// all but the stream and the argument block. One line of a processor's cache.
struct alignas(64) ReadyStep {
    CUlaunchConfig config{};
    const void* function = nullptr;  // a GPU's CUfunction; on the host device the LaunchStep
};
static_assert(sizeof(ReadyStep) == 64);

// Where a GPU's kernels are launched. Without a driver: the host device.
struct Gpu {
    const DriverApi* api = nullptr;
    CUcontext context = nullptr;
};

// The loaded kernels of one plan on one device.
class Executor {
  public:
    virtual ~Executor() = default;
    // `step` outlives what is returned. A step that comes after another of the same call may start
    // while that still runs, if it says so itself.
    // Throws Error(kInternal) for an entry that the source does not have.
    virtual ReadyStep make_ready(const LaunchStep& step, bool is_first) const = 0;
    // That CTAs of a kernel run on at once.
    virtual int multiprocessors() const { return kUsualMultiprocessors; }
    // The host device: runs the steps in order, each with `call` as its only argument. A GPU's
    // steps are enqueued by CallGeometry.
    virtual void run(std::span<const ReadyStep> /*steps*/, const abi::Call& /*call*/) const {}
    // Throws Error(kLaunchFailed) for a step that the driver refused.
    virtual void throw_refused(const ReadyStep& /*step*/, CUresult /*result*/) const {}
    // Writes what copy_tensor_4d of these kernels takes. Throws Error(kInvalidArgument) for a
    // request outside the rules of tensor_map.h, Error(kNoDriver) where the driver has no tensor
    // maps.
    virtual void encode_tensor_map(const TensorMapRequest& request, abi::TensorMap& map) const = 0;

    Gpu gpu;
    std::string slow_code;  // slow_code.h; empty where it is not slow, or nothing is known of it
};

// Compiles (or takes from the cache) and loads; fills the report.
std::unique_ptr<Executor> make_cuda_executor(const Plan& plan, const Source& source,
                                             const Device& device, const PrepareOptions& options,
                                             PrepareReport& report);
// Loads a cubin that is there already, with these entries; fills the report's load_ms.
std::unique_ptr<Executor> load_cuda_executor(const Plan& plan, std::span<const std::string> entries,
                                             const Device& device, std::span<const uint8_t> cubin,
                                             PrepareReport& report);
std::unique_ptr<Executor> make_host_executor(const Plan& plan, const Source& source,
                                             const PrepareOptions& options, PrepareReport& report);

}  // namespace sagejit
