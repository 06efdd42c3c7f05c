// One attention problem in fp64, and its solution: what every reference reads and returns.
#pragma once

#include <cstdint>
#include <vector>

#include "sagejit/generator/spec.h"
#include "sagejit/generator/workspace.h"
#include "sagejit/sagejit.h"

namespace sagejit {

struct AttentionProblem {
    Shape shape;
    int64_t head_dim = 0, head_dim_v = 0;
    double logit_scale = 0;
    // Contiguous, row-major.
    std::vector<double> q;  // [batch, heads_q, len_q, head_dim]
    std::vector<double> k;  // [batch, heads_kv, len_k, head_dim]
    std::vector<double> v;  // [batch, heads_kv, len_k, head_dim_v]

    int64_t group_size() const { return shape.heads_kv > 0 ? shape.heads_q / shape.heads_kv : 0; }
    // Matrices are numbered batch * heads + head.
    int64_t q_matrices() const { return shape.batch * shape.heads_q; }
    int64_t kv_matrices() const { return shape.batch * shape.heads_kv; }
};

struct AttentionResult {
    std::vector<double> o;    // [batch, heads_q, len_q, head_dim_v]
    std::vector<double> lse;  // [batch, heads_q, len_q], natural logarithm
};

// Widens tensors in host memory, of any strides. Throws Error(kInvalidArgument) where their shapes
// disagree.
AttentionProblem make_problem(const TensorRef& q, const TensorRef& k, const TensorRef& v,
                              double logit_scale);

// Throws Error(kInvalidArgument) unless the arrays have the sizes that the shape says.
void check_problem(const AttentionProblem& problem);

// How many keys query `row` sees; the visible ones are 0 .. visible - 1 in every mode.
int64_t visible_keys(CausalMode causal, int64_t row, int64_t len_q, int64_t len_k);

}  // namespace sagejit
