// The two matrix products of attention, a block of queries at a time, on all cores.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "reference/problem.h"

namespace sagejit {

// Up to kQueryRows consecutive queries of one head, and their dot products with the keys.
struct ScoreBlock {
    static constexpr int64_t kQueryRows = 64;  // a warpgroup's (fp8_probabilities.cpp)

    int64_t matrix = 0;     // batch * heads_q + head_q
    int64_t kv_matrix = 0;  // batch * heads_kv + head_kv
    int64_t first_row = 0, rows = 0;
    int64_t visible[kQueryRows] = {};  // keys each row sees; rises with the row
    double* values = nullptr;          // [rows, stride]; valid up to the row's visible keys
    int64_t stride = 0;

    std::span<double> row(int64_t i) const {
        return {values + i * stride, static_cast<size_t>(visible[i])};
    }
};

// Computes q . k for every block of queries and calls body with it, from several threads at once.
// q: [batch, heads_q, len_q, head_dim] and k: [batch, heads_kv, len_k, head_dim], whose sizes are
// the problem's; its own q and k are not read. The body may overwrite the values.
void for_each_score_block(const AttentionProblem& problem, CausalMode causal,
                          std::span<const double> q, std::span<const double> k,
                          const std::function<void(const ScoreBlock&)>& body);

// out[rows, dim] += values[rows, visible] * v[visible, dim]. Keys a row does not see are not
// touched, so that their NaN or infinity does not reach it.
void add_weighted_values(const ScoreBlock& block, const double* v, int64_t dim, double* out);

}  // namespace sagejit
