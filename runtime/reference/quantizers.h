// The second oracle's integers: the quantizers, operation by operation as the kernels do them.
// With Real = float the results are those of the kernels, bit for bit; with Real = double they are
// what exact arithmetic would choose.
//
// One call handles one head's [len, dim] matrix. Rounding is to nearest, ties to even.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sagejit/generator/plan.h"

namespace sagejit {

inline constexpr double kAmaxFloor = 0x1p-50;  // below it a group's largest value counts as this
inline constexpr int kInt8Max = 127;
inline constexpr int8_t kBadRowMarker = -128;  // first byte of a row of Q that is not finite

// The scale group a row of Q or K is in; groups are numbered from 0 within the matrix.
int64_t q_scale_group(const Plan& plan, int64_t row);
int64_t k_scale_group(const Plan& plan, int64_t row);

template <class Real>
struct QuantizedRows {
    std::vector<int8_t> values;  // [len, head_dim]
    std::vector<Real> scale;     // [len]: that of the row's group
    std::vector<uint8_t> bad;    // [len]: 1 where the row holds a NaN or an infinity
};

// Quantizes Q, negated if logit_scale is negative, to
//   values = rint(q * (127 / amax)), scale = (amax / 127) * (|logit_scale| * log2(e)).
// Where the wgmma family scales fp16 elements two at a time, 127 / amax is rounded to fp16 first,
// and the scale is one over it.
// A row that is not finite takes no part in amax; it is zeros behind kBadRowMarker.
template <class Real>
QuantizedRows<Real> quantize_q(const Plan& plan, std::span<const Real> q, Real logit_scale);

// Quantizes x = k - k_mean to values = rint(x * (127 / amax)), scale = amax / 127. k_mean:
// [head_dim], or empty for none. A row with any x that is not finite takes no part in amax and is
// zeros.
template <class Real>
QuantizedRows<Real> quantize_k(const Plan& plan, std::span<const Real> k,
                               std::span<const Real> k_mean);

template <class Real>
struct QuantizedChannels {
    std::vector<int8_t> values;      // [len_k, head_dim_v], tokens in their order
    std::vector<Real> scale;         // [head_dim_v]: amax / 127
    std::vector<int64_t> first_bad;  // [head_dim_v]: first token with NaN or infinity, or len_k
};

// Quantizes V for VPath::kInt8, a scale per channel. Elements that are not finite are 0 and take
// no part in amax.
template <class Real>
QuantizedChannels<Real> quantize_v(std::span<const Real> v, int64_t head_dim_v);

template <class Real>
struct Fp8Channels {
    std::vector<double> values;      // [len_k, head_dim_v], tokens in their order, of e4m3
    std::vector<Real> scale;         // [head_dim_v]: a power of two
    std::vector<double> residue;     // [head_dim_v]: sums of what rounding left, times the scale
    std::vector<int64_t> first_bad;  // [head_dim_v]: first token with NaN or infinity, or len_k
};

// Quantizes V less v_mean ([head_dim_v]) for VPath::kFp8: with the power of two that takes the
// largest finite magnitude of the `samples` tokens in the middle of equal parts (all, where there
// are fewer) into [8, 16). Where that takes any number of the matrix past 448, with the one that
// takes the largest of all tokens into [128, 256). Elements that are not finite are 0.
template <class Real>
Fp8Channels<Real> quantize_v_to_fp8(std::span<const Real> v, std::span<const Real> v_mean,
                                    int64_t samples);

struct HalfChannels {
    std::vector<uint16_t> values;  // [len_k, head_dim_v] fp16: v * 2^-exponent
    std::vector<int> exponent;     // [head_dim_v]
};

// Scales V for VPath::kScaledFp16: each channel by the power of two that takes its largest finite
// value into [256, 512). A channel of zeros keeps exponent 0.
HalfChannels scale_v_to_fp16(std::span<const double> v, int64_t head_dim_v);

}  // namespace sagejit
