// What runs compiled kernels: the CUDA driver or the host device. Internal to runtime/.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "call.h"
#include "sagejit/generator/source.h"
#include "sagejit/generator/workspace.h"
#include "sagejit/sagejit.h"
#include "tensor_map.h"

namespace sagejit {

// A step as its executor launches it: worked out once for many calls of the same sizes.
struct ReadyStep {
    const LaunchStep* step = nullptr;  // outlives this
    const void* function = nullptr;    // the executor's own
    unsigned ctas = 0, threads = 0, shared_bytes = 0;
    bool may_overlap = false;
};

// The loaded kernels of one plan on one device.
class Executor {
  public:
    virtual ~Executor() = default;
    // Throws Error(kInternal) for an entry that the source does not have.
    virtual ReadyStep make_ready(const LaunchStep& step) const = 0;
    // Enqueues the steps in order, each with `call` as its only argument.
    // Throws Error(kLaunchFailed).
    virtual void run(std::span<const ReadyStep> steps, const abi::Call& call,
                     void* stream) const = 0;
    // Writes what copy_tensor_4d of these kernels takes. Throws Error(kInvalidArgument) for a
    // request outside the rules of tensor_map.h, Error(kNoDriver) where the driver has no tensor
    // maps.
    virtual void encode_tensor_map(const TensorMapRequest& request, abi::TensorMap& map) const = 0;

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
