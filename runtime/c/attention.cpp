// One call, in C.
#include "sagejit/attention.h"

#include <fmt/format.h>

#include "convert.h"
#include "kernel.h"
#include "options.h"
#include "status.h"

using namespace sagejit;

namespace {

CausalMode to_causal(int32_t value) {
    switch (value) {
        case SAGEJIT_CAUSAL_NONE:
            return CausalMode::kNone;
        case SAGEJIT_CAUSAL_TOP_LEFT:
            return CausalMode::kTopLeft;
        case SAGEJIT_CAUSAL_BOTTOM_RIGHT:
            return CausalMode::kBottomRight;
        default:
            c::refuse("options.causal", fmt::format("expected SAGEJIT_CAUSAL_..., got {}", value));
    }
}

Quality to_quality(int32_t value) {
    switch (value) {
        case SAGEJIT_QUALITY_BALANCED:
            return Quality::kBalanced;
        case SAGEJIT_QUALITY_ACCURATE:
            return Quality::kAccurate;
        case SAGEJIT_QUALITY_FAST:
            return Quality::kFast;
        default:
            c::refuse("options.quality",
                      fmt::format("expected SAGEJIT_QUALITY_..., got {}", value));
    }
}

AttentionOptions to_options(const sagejit_attention_options* given) {
    AttentionOptions options;
    if (given == nullptr) return options;
    const sagejit_attention_options read = c::read_sized(given, "options");
    c::check_reserved("options.reserved", read.reserved);
    options.causal = to_causal(read.causal);
    options.quality = to_quality(read.quality);
    if (read.logit_scale != 0) options.logit_scale = read.logit_scale;
    options.lse = read.lse;
    const Device device = c::to_device(read.device, "options.device");
    if (read.device.type != SAGEJIT_DEVICE_BEST) options.device = device;
    return options;
}

TensorRef tensor(const sagejit_tensor* given, const char* name) {
    return c::to_tensor(*c::required(given, name), name);
}

}  // namespace

sagejit_status sagejit_attention(const sagejit_tensor* q, const sagejit_tensor* k,
                                 const sagejit_tensor* v, const sagejit_tensor* o,
                                 const sagejit_attention_options* options, void* stream) {
    return c::guarded([&] {
        attention(tensor(q, "q"), tensor(k, "k"), tensor(v, "v"), tensor(o, "o"),
                  to_options(options), stream);
    });
}

sagejit_status sagejit_prepare_attention(const sagejit_tensor* q, const sagejit_tensor* k,
                                         const sagejit_tensor* v, const sagejit_tensor* o,
                                         const sagejit_attention_options* options,
                                         sagejit_kernel** kernel) {
    return c::guarded([&] {
        Kernel prepared = prepare_attention(tensor(q, "q"), tensor(k, "k"), tensor(v, "v"),
                                            tensor(o, "o"), to_options(options));
        if (kernel != nullptr) *kernel = new sagejit_kernel(std::move(prepared));
    });
}
