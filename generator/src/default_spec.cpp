#include "sagejit/generator/default_spec.h"

namespace sagejit {
namespace {

// Whether mma.sync with fp16 accumulators runs at twice the rate of fp32 ones: NVIDIA's GPUs for
// desktops and workstations (whitepapers of GA102, AD102 and GB202; data centre parts and Tegra's
// have one rate).
bool has_fast_fp16_accumulators(const Target& target) {
    constexpr int kGa10x = 86, kAd10x = 89, kGb20x = 120;
    return target.arch == kGa10x || target.arch == kAd10x || target.arch == kGb20x;
}

}  // namespace

std::string_view to_string(Quality value) {
    switch (value) {
        case Quality::kAccurate:
            return "accurate";
        case Quality::kBalanced:
            return "balanced";
        case Quality::kFast:
            return "fast";
    }
    return "unknown";
}

Spec default_spec(const SpecRequest& request, const Target& target) {
    Spec spec = unchecked_default_spec(request, target);
    validate(spec);
    return spec;
}

Spec unchecked_default_spec(const SpecRequest& request, const Target& target) {
    Spec spec;
    spec.head_dim = request.head_dim;
    spec.head_dim_v = request.head_dim_v;
    spec.dtype = request.dtype;
    spec.output_dtype = request.output_dtype;
    spec.causal = request.causal;
    spec.lse = request.lse;
    spec.smooth_k = true;
    if (target.family == Family::kWgmma) {
        // One product of P and V is both fast and accurate there, and takes V as it is.
        if (request.dtype == DataType::kBf16) spec.pv_type = PvType::kBf16;
        return spec;
    }
    switch (request.quality) {
        case Quality::kAccurate:
            spec.granularity = Granularity::kToken;
            break;
        case Quality::kBalanced:
            break;
        case Quality::kFast:
            if (has_fast_fp16_accumulators(target)) {
                spec.pv_accum = PvAccum::kFp32PromoteFp16;
            } else {
                spec.pv_type = PvType::kInt8;
                spec.pv_accum = PvAccum::kFp32PromoteInt32;
            }
            break;
    }
    return spec;
}

}  // namespace sagejit
