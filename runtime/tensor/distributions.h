// Reproducible q, k, v whose statistics stress attention the way real models and papers do.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "sagejit/generator/workspace.h"
#include "tensor/host_tensor.h"

namespace sagejit {

struct Distribution {
    std::string_view name;
    std::string_view description;  // one line
};

// All of them, "normal" first.
std::span<const Distribution> distributions();

struct AttentionInput {
    HostTensor q;  // [batch, heads_q, len_q, head_dim]
    HostTensor k;  // [batch, heads_kv, len_k, head_dim]
    HostTensor v;  // [batch, heads_kv, len_k, head_dim_v]
};

// Draws one input. The same arguments give the same bytes on every machine, and q, k and v do not
// depend on each other's sizes: a longer input begins with the rows of a shorter one, but for
// attention_sink, whose first key depends on len_k.
// Throws Error(kInvalidArgument) for an unknown name, listing those there are, and for sizes that
// are negative or too large.
AttentionInput make_input(std::string_view distribution, const Shape& shape, int64_t head_dim,
                          int64_t head_dim_v, DataType dtype, uint64_t seed);

}  // namespace sagejit
