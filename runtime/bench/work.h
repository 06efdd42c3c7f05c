// How much arithmetic an attention call is, and how fast a GPU's tensor cores can do it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sagejit/generator/plan.h"
#include "sagejit/generator/workspace.h"

namespace sagejit {

// Pairs of a query and a key it sees, of one batch and query head.
double visible_pairs(const Shape& shape, CausalMode causal);

// Floating-point operations of the two products, as speeds of attention are quoted: 2 for each
// visible pair and channel of Q, and of V. With equal lengths and head dimensions and no mask,
// 4 * batch * heads_q * len_q * len_k * head_dim.
double attention_flops(const Shape& shape, const Spec& spec);

// Rates a GPU's tensor cores sustained in a loop of nothing else, 1e12 operations a second.
struct TensorPeak {
    double qk_tops = 0, pv_tops = 0;  // for the operand types of each product
    std::string_view source;          // where the figures are from
};

// Known only for GPUs somebody has measured.
std::optional<TensorPeak> tensor_peak(std::string_view gpu_name, const Spec& spec);

// Milliseconds the two products take at those rates.
double tensor_bound_ms(const TensorPeak& peak, const Shape& shape, const Spec& spec);

}  // namespace sagejit
