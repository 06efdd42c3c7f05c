#include "sagejit/attention.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "driver.h"
#include "memory_location.h"
#include "registry.h"
#include "stream_memory.h"

namespace sagejit {
namespace {

// What attention resolves its arguments to.
struct Choice {
    Arguments call;
    Shape shape;
    Device device;
    Spec spec;
};

int checked_head_dim(const TensorRef& tensor, const char* name) {
    const int64_t size = tensor.shape[3];
    if (size >= kMinHeadDim && size <= kMaxHeadDim && size % kHeadDimStep == 0) {
        return static_cast<int>(size);
    }
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("expected a multiple of {} from {} to {}, got {}", kHeadDimStep,
                            kMinHeadDim, kMaxHeadDim, size),
                fmt::format("{}.shape[3] (dim)", name));
}

// The one device that holds every tensor that has memory.
Device device_of_tensors(const Arguments& call) {
    const std::array<std::pair<const char*, const void*>, 5> pointers = {{{"q", call.q.data},
                                                                          {"k", call.k.data},
                                                                          {"v", call.v.data},
                                                                          {"out", call.o.data},
                                                                          {"lse", call.lse}}};
    std::optional<Device> device;
    const char* first = "";
    for (const auto& [name, pointer] : pointers) {
        if (pointer == nullptr) continue;
        const Device location = location_of(pointer);
        if (!device) {
            device = location;
            first = name;
        } else if (device->ordinal() != location.ordinal()) {
            throw Error(ErrorCode::kInvalidArgument,
                        fmt::format("is in the memory of {}, and {} in that of {}", location.text(),
                                    first, device->text()),
                        name, "move it, or name the device that can reach both in the options");
        }
    }
    return device ? *device : Device::best();
}

// The target whose kernels serve a quality best: on Hopper wgmma's, but for the scales per token
// that the most accurate ones have.
const Target& target_on(const Device& device, Quality quality) {
    if (device.is_host()) return find_target(kDefaultTarget);
    if (quality == Quality::kAccurate) return device.target();
    const GpuInfo& gpu = gpu_info(device.ordinal());
    for (const Target& target : all_targets()) {
        if (target.exact && target.arch == gpu.major * 10 + gpu.minor) return target;
    }
    return device.target();
}

Choice choose(const TensorRef& q, const TensorRef& k, const TensorRef& v, const TensorRef& out,
              const AttentionOptions& options) {
    Arguments call{q, k, v, out, options.lse, 0};
    const Shape shape = shape_of(call);  // throws where they do not go together
    SpecRequest request;
    request.head_dim = checked_head_dim(q, "q");
    request.head_dim_v = checked_head_dim(v, "v");
    request.dtype = q.dtype;
    request.output_dtype = out.dtype;
    request.causal = options.causal;
    request.lse = options.lse != nullptr;
    request.quality = options.quality;
    call.logit_scale = options.logit_scale.value_or(default_logit_scale(request.head_dim));
    const Device device = options.device ? *options.device : device_of_tensors(call);
    return {call, shape, device,
            unchecked_default_spec(request, target_on(device, options.quality))};
}

}  // namespace

void attention(const TensorRef& q, const TensorRef& k, const TensorRef& v, const TensorRef& out,
               const AttentionOptions& options, void* stream) {
    const Choice choice = choose(q, k, v, out, options);
    std::optional<Kernel> kernel = find_for_sizes(choice.spec, choice.device, choice.shape);
    if (!kernel && is_capturing(choice.device, stream)) {
        // One that was chosen for other sizes is right for these, too.
        kernel = find_prepared(choice.spec, choice.device);
        if (!kernel) {
            throw Error(ErrorCode::kNotPrepared,
                        "the stream is being captured, and this kernel is not prepared",
                        choice.device.text(), "call prepare_attention before the capture begins");
        }
    }
    if (!kernel) kernel = prepare_for_sizes(choice.spec, choice.device, choice.shape);
    const size_t bytes = kernel->workspace_size(choice.shape);
    const StreamMemory workspace(choice.device, bytes, stream);
    kernel->launch(choice.call, workspace.data(), bytes, stream);
}

Kernel prepare_attention(const TensorRef& q, const TensorRef& k, const TensorRef& v,
                         const TensorRef& out, const AttentionOptions& options) {
    const Choice choice = choose(q, k, v, out, options);
    if (auto known = find_for_sizes(choice.spec, choice.device, choice.shape)) {
        return *std::move(known);
    }
    return prepare_for_sizes(choice.spec, choice.device, choice.shape);
}

}  // namespace sagejit
