#include "reference/attention.h"

#include <cmath>
#include <limits>

#include "reference/score_block.h"

namespace sagejit {

AttentionResult exact_attention(const AttentionProblem& problem, CausalMode causal) {
    check_problem(problem);
    const int64_t len_q = problem.shape.len_q, len_k = problem.shape.len_k;
    const int64_t dim_v = problem.head_dim_v;
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    AttentionResult result;
    result.o.assign(static_cast<size_t>(problem.q_matrices() * len_q * dim_v), 0.0);
    result.lse.assign(static_cast<size_t>(problem.q_matrices() * len_q), -kInfinity);

    for_each_score_block(problem, causal, problem.q, problem.k, [&](const ScoreBlock& block) {
        const int64_t first = block.matrix * len_q + block.first_row;
        double* o = result.o.data() + first * dim_v;
        double sums[ScoreBlock::kQueryRows];
        for (int64_t i = 0; i < block.rows; ++i) {
            double row_max = -kInfinity;
            for (double& score : block.row(i)) {
                score *= problem.logit_scale;
                if (score > row_max) row_max = score;
            }
            sums[i] = 0;
            for (double& score : block.row(i)) {
                score = std::exp(score - row_max);
                sums[i] += score;
            }
            if (block.visible[i] > 0) result.lse[first + i] = row_max + std::log(sums[i]);
        }
        add_weighted_values(block, problem.v.data() + block.kv_matrix * len_k * dim_v, dim_v, o);
        for (int64_t i = 0; i < block.rows; ++i)
            if (block.visible[i] > 0)
                for (int64_t d = 0; d < dim_v; ++d) o[i * dim_v + d] /= sums[i];
    });
    return result;
}

}  // namespace sagejit
