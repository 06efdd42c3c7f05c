#include "bench/work.h"

#include <algorithm>

namespace sagejit {
namespace {

// Sustained by wgmma, operands in shared memory, on one H200 at 1965 MHz.
constexpr double kH200Int8 = 1941, kH200Fp8 = 1703, kH200Half = 827;
constexpr std::string_view kH200Source =
    "measured on one H200 at 1965 MHz: s8 1941, e4m3 1703, f16 827";

double rows(const Shape& shape) {
    return static_cast<double>(shape.batch) * static_cast<double>(shape.heads_q);
}

double product_flops(const Shape& shape, const Spec& spec, int channels) {
    return 2 * rows(shape) * visible_pairs(shape, spec.causal) * channels;
}

}  // namespace

double visible_pairs(const Shape& shape, CausalMode causal) {
    const auto len_q = static_cast<double>(shape.len_q);
    const auto len_k = static_cast<double>(shape.len_k);
    if (causal == CausalMode::kNone) return len_q * len_k;
    // Query i sees the keys up to i + shift, so 1 + i + shift of them, between 0 and len_k.
    const double shift = causal == CausalMode::kBottomRight ? len_k - len_q : 0;
    const double none = std::clamp(-shift, 0.0, len_q);                  // queries that see nothing
    const double all = std::clamp(len_q - (len_k - shift), 0.0, len_q);  // that see every key
    const double some = len_q - none - all;
    const double fewest = 1 + none + shift;
    return all * len_k + some * fewest + some * (some - 1) / 2;
}

double attention_flops(const Shape& shape, const Spec& spec) {
    return product_flops(shape, spec, spec.head_dim) + product_flops(shape, spec, spec.head_dim_v);
}

std::optional<TensorPeak> tensor_peak(std::string_view gpu_name, const Spec& spec) {
    if (!gpu_name.starts_with("NVIDIA H200")) return std::nullopt;
    switch (spec.pv_type) {
        case PvType::kFp16:
        case PvType::kBf16:
            return TensorPeak{kH200Int8, kH200Half, kH200Source};
        case PvType::kInt8:
            return TensorPeak{kH200Int8, kH200Int8, kH200Source};
        case PvType::kFp8:
            return TensorPeak{kH200Int8, kH200Fp8, kH200Source};
    }
    return std::nullopt;
}

double tensor_bound_ms(const TensorPeak& peak, const Shape& shape, const Spec& spec) {
    constexpr double kTera = 1e12, kMilli = 1e3;
    const double qk = product_flops(shape, spec, spec.head_dim) / (peak.qk_tops * kTera);
    const double pv = product_flops(shape, spec, spec.head_dim_v) / (peak.pv_tops * kTera);
    return (qk + pv) * kMilli;
}

}  // namespace sagejit
