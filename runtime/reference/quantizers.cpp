#include "reference/quantizers.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "tensor/e4m3.h"
#include "tensor/half.h"

namespace sagejit {
namespace {

template <class Real>
constexpr Real kLog2E = static_cast<Real>(1.442695040888963407L);  // float: 1.44269504f

template <class Real>
int8_t quantize(Real value, Real inverse_scale) {
    constexpr Real kMost = kInt8Max;
    return static_cast<int8_t>(std::clamp(std::rint(value * inverse_scale), -kMost, kMost));
}

template <class Real>
bool is_finite(std::span<const Real> row) {
    return std::all_of(row.begin(), row.end(), [](Real value) { return std::isfinite(value); });
}

// What integers are made with, and what takes them back.
template <class Real>
struct Scaling {
    Real factor, scale;
};

// The scaling of a group of that amax, in a row; bad: of all rows, amax: of all groups.
template <class Real>
using ScalingOf = std::function<Scaling<Real>(int64_t row, const std::vector<uint8_t>& bad,
                                              const std::vector<Real>& amax)>;

template <class Real>
Scaling<Real> full_scaling(Real amax) {
    return {Real{kInt8Max} / amax, amax / Real{kInt8Max}};
}

// Quantizes the rows of x by groups; nothing else is folded into the scale.
template <class Real>
QuantizedRows<Real> quantize_rows(std::span<const Real> x, int64_t dim,
                                  const std::function<int64_t(int64_t)>& group_of,
                                  const ScalingOf<Real>& scaling_of) {
    const auto len = static_cast<int64_t>(x.size()) / dim;
    QuantizedRows<Real> result;
    result.values.assign(x.size(), 0);
    result.scale.resize(static_cast<size_t>(len));
    result.bad.resize(static_cast<size_t>(len));
    std::vector<Real> amax;
    for (int64_t i = 0; i < len; ++i) {
        const std::span<const Real> row = x.subspan(i * dim, dim);
        const auto group = static_cast<size_t>(group_of(i));
        if (group >= amax.size()) amax.resize(group + 1, static_cast<Real>(kAmaxFloor));
        result.bad[i] = !is_finite(row);
        if (result.bad[i]) continue;
        for (const Real value : row) amax[group] = std::max(amax[group], std::abs(value));
    }
    for (int64_t i = 0; i < len; ++i) {
        const Scaling<Real> scaling = scaling_of(i, result.bad, amax);
        result.scale[i] = scaling.scale;
        if (result.bad[i]) continue;
        for (int64_t d = i * dim; d < (i + 1) * dim; ++d)
            result.values[d] = quantize(x[d], scaling.factor);
    }
    return result;
}

constexpr float kLeastPackedAmax = 0.002f;

// Whether the kernel scales Q two elements at a time, by factors of fp16
// (templates/wgmma/scale_fp16.cuh).
bool packs_queries(const Plan& plan) {
    return plan.query_in_prologue && plan.spec.dtype == DataType::kFp16 &&
           plan.spec.granularity == Granularity::kThread;
}

// Whether it does so in this row's unit of warp_q rows: all finite, and no group too small.
template <class Real>
bool packs_unit(const Plan& plan, int64_t row, const std::vector<uint8_t>& bad,
                const std::vector<Real>& amax) {
    const int64_t first = row / plan.warp_q * plan.warp_q;
    const int64_t end = std::min<int64_t>(first + plan.warp_q, static_cast<int64_t>(bad.size()));
    for (int64_t i = first; i < end; ++i) {
        const Real largest = amax[q_scale_group(plan, i)];
        const bool all_zero = largest <= static_cast<Real>(kAmaxFloor);
        if (bad[i] || (largest < Real{kLeastPackedAmax} && !all_zero)) return false;
    }
    return true;
}

template <class Real>
Scaling<Real> packed_scaling(Real amax) {
    const Real factor =
        fp16_to_float(fp16_from_double(Real{kInt8Max} / std::max(amax, Real{kLeastPackedAmax})));
    return {factor, Real{kInt8Max} / factor / Real{kInt8Max}};
}

}  // namespace

int64_t q_scale_group(const Plan& plan, int64_t row) {
    switch (plan.spec.granularity) {
        case Granularity::kTensor:
            return 0;
        case Granularity::kToken:
            return row;
        case Granularity::kBlock:
            return row / plan.tile_q;
        case Granularity::kWarp:
            return row / plan.warp_q;
        case Granularity::kThread:
            return row / plan.warp_q * 8 + row % 8;
    }
    return 0;
}

int64_t k_scale_group(const Plan& plan, int64_t row) {
    switch (plan.spec.granularity) {
        case Granularity::kTensor:
            return 0;
        case Granularity::kToken:
            return row;
        case Granularity::kBlock:
        case Granularity::kWarp:
            return row / plan.tile_k;
        case Granularity::kThread:
            return row / plan.tile_k * 4 + row % 8 / 2;
    }
    return 0;
}

template <class Real>
QuantizedRows<Real> quantize_q(const Plan& plan, std::span<const Real> q, Real logit_scale) {
    const int64_t dim = plan.spec.head_dim;
    std::vector<Real> x(q.begin(), q.end());
    if (logit_scale < 0) std::transform(x.begin(), x.end(), x.begin(), std::negate<>());
    const auto group_of = [&](int64_t row) { return q_scale_group(plan, row); };
    const auto scaling_of = [&](int64_t row, const auto& bad, const auto& amax) {
        const bool packed = packs_queries(plan) && packs_unit(plan, row, bad, amax);
        const Real largest = amax[group_of(row)];
        return packed ? packed_scaling(largest) : full_scaling(largest);
    };
    QuantizedRows<Real> result = quantize_rows<Real>(x, dim, group_of, scaling_of);
    const Real fold = std::abs(logit_scale) * kLog2E<Real>;
    for (Real& scale : result.scale) scale *= fold;
    for (size_t i = 0; i < result.bad.size(); ++i)
        if (result.bad[i]) result.values[i * static_cast<size_t>(dim)] = kBadRowMarker;
    return result;
}

template <class Real>
QuantizedRows<Real> quantize_k(const Plan& plan, std::span<const Real> k,
                               std::span<const Real> k_mean) {
    const auto dim = static_cast<size_t>(plan.spec.head_dim);
    std::vector<Real> x(k.begin(), k.end());
    if (!k_mean.empty())
        for (size_t i = 0; i < x.size(); ++i) x[i] -= k_mean[i % dim];
    const auto group_of = [&](int64_t row) { return k_scale_group(plan, row); };
    const auto scaling_of = [&](int64_t row, const auto&, const auto& amax) {
        return full_scaling(amax[group_of(row)]);
    };
    return quantize_rows<Real>(x, plan.spec.head_dim, group_of, scaling_of);
}

template <class Real>
QuantizedChannels<Real> quantize_v(std::span<const Real> v, int64_t head_dim_v) {
    const auto dim = static_cast<size_t>(head_dim_v);
    const size_t len = v.size() / dim;
    QuantizedChannels<Real> result;
    result.values.assign(v.size(), 0);
    result.scale.resize(dim);
    result.first_bad.assign(dim, static_cast<int64_t>(len));
    for (size_t d = 0; d < dim; ++d) {
        auto amax = static_cast<Real>(kAmaxFloor);
        for (size_t j = len; j-- > 0;) {
            const Real value = v[j * dim + d];
            if (std::isfinite(value))
                amax = std::max(amax, std::abs(value));
            else
                result.first_bad[d] = static_cast<int64_t>(j);
        }
        const Real inverse_scale = Real{kInt8Max} / amax;
        result.scale[d] = amax / Real{kInt8Max};
        for (size_t i = d; i < v.size(); i += dim)
            if (std::isfinite(v[i])) result.values[i] = quantize(v[i], inverse_scale);
    }
    return result;
}

template <class Real>
Fp8Channels<Real> quantize_v_to_fp8(std::span<const Real> v, std::span<const Real> v_mean,
                                    int64_t samples) {
    constexpr int kSampleTop = 3, kExactTop = 7;  // exponents of the largest magnitude
    static constexpr int kMost = 126;             // exponent of the largest factor
    const size_t dim = v_mean.size();
    const auto len = static_cast<int64_t>(v.size() / dim);
    samples = std::min(samples, len);
    Fp8Channels<Real> result;
    result.values.assign(v.size(), 0);
    result.scale.resize(dim);
    result.residue.assign(dim, 0.0);
    result.first_bad.assign(dim, len);
    const auto rest = [&](int64_t token, size_t d) {
        return std::abs(v[static_cast<size_t>(token) * dim + d] - v_mean[d]);
    };
    const auto exponent = [](Real largest, int top) {
        return largest > 0 ? std::clamp(top - std::ilogb(largest), -126, kMost) : kMost;
    };
    std::vector<int> sampled(dim, kMost), exact(dim, kMost);
    bool saturated = false;
    for (size_t d = 0; d < dim; ++d) {
        Real of_sample = 0, of_all = 0;
        const auto raise = [&](Real& largest, int64_t token) {
            const Real magnitude = rest(token, d);
            if (std::isfinite(magnitude)) largest = std::max(largest, magnitude);
        };
        for (int64_t i = 0; i < samples; ++i) raise(of_sample, (2 * i + 1) * len / (2 * samples));
        for (int64_t token = len; token-- > 0;) {
            raise(of_all, token);
            if (!std::isfinite(v[static_cast<size_t>(token) * dim + d]))
                result.first_bad[d] = token;
        }
        sampled[d] = exponent(of_sample, kSampleTop);
        exact[d] = exponent(of_all, kExactTop);
        saturated |= std::ldexp(static_cast<double>(of_all), sampled[d]) > kLargestE4m3;
    }
    const std::vector<int>& chosen = saturated ? exact : sampled;
    for (size_t d = 0; d < dim; ++d) result.scale[d] = std::ldexp(Real{1}, -chosen[d]);
    for (size_t i = 0; i < v.size(); ++i) {
        if (!std::isfinite(v[i])) continue;
        const Real centred = v[i] - v_mean[i % dim];
        const double scaled = std::ldexp(static_cast<double>(centred), chosen[i % dim]);
        result.values[i] = round_to_e4m3(scaled);
        result.residue[i % dim] += scaled - result.values[i];
    }
    return result;
}

HalfChannels scale_v_to_fp16(std::span<const double> v, int64_t head_dim_v) {
    constexpr int kTargetExponent = 8;  // of the largest value: 256 = 2^8 <= it < 512
    const auto dim = static_cast<size_t>(head_dim_v);
    HalfChannels result;
    result.values.resize(v.size());
    result.exponent.assign(dim, 0);
    for (size_t d = 0; d < dim; ++d) {
        double amax = 0;
        for (size_t i = d; i < v.size(); i += dim)
            if (std::isfinite(v[i])) amax = std::max(amax, std::abs(v[i]));
        if (amax > 0) result.exponent[d] = std::ilogb(amax) - kTargetExponent;
        for (size_t i = d; i < v.size(); i += dim)
            result.values[i] = fp16_from_double(std::ldexp(v[i], -result.exponent[d]));
    }
    return result;
}

template QuantizedRows<float> quantize_q(const Plan&, std::span<const float>, float);
template QuantizedRows<double> quantize_q(const Plan&, std::span<const double>, double);
template QuantizedRows<float> quantize_k(const Plan&, std::span<const float>,
                                         std::span<const float>);
template QuantizedRows<double> quantize_k(const Plan&, std::span<const double>,
                                          std::span<const double>);
template Fp8Channels<float> quantize_v_to_fp8(std::span<const float>, std::span<const float>,
                                              int64_t);
template Fp8Channels<double> quantize_v_to_fp8(std::span<const double>, std::span<const double>,
                                               int64_t);
template QuantizedChannels<float> quantize_v(std::span<const float>, int64_t);
template QuantizedChannels<double> quantize_v(std::span<const double>, int64_t);

}  // namespace sagejit
