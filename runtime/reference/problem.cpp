#include "reference/problem.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "tensor/host_tensor.h"

namespace sagejit {
namespace {

void require(bool condition, std::string message) {
    if (!condition)
        throw Error(ErrorCode::kInvalidArgument, std::move(message), "attention problem",
                    "q: [batch, heads_q, len_q, head_dim], k: [batch, heads_kv, len_k, head_dim], "
                    "v: [batch, heads_kv, len_k, head_dim_v], heads_q a multiple of heads_kv");
}

}  // namespace

AttentionProblem make_problem(const TensorRef& q, const TensorRef& k, const TensorRef& v,
                              double logit_scale) {
    require(q.shape[0] == k.shape[0] && q.shape[3] == k.shape[3], "q and k disagree");
    require(k.shape[0] == v.shape[0] && k.shape[1] == v.shape[1] && k.shape[2] == v.shape[2],
            "k and v disagree");
    AttentionProblem problem;
    problem.shape = {q.shape[0], q.shape[1], k.shape[1], q.shape[2], k.shape[2]};
    problem.head_dim = q.shape[3];
    problem.head_dim_v = v.shape[3];
    problem.logit_scale = logit_scale;
    problem.q = widen_to_double(q);
    problem.k = widen_to_double(k);
    problem.v = widen_to_double(v);
    check_problem(problem);
    return problem;
}

void check_problem(const AttentionProblem& problem) {
    const Shape& s = problem.shape;
    const auto has = [](const std::vector<double>& values, std::array<int64_t, 4> shape,
                        const char* name) {
        const int64_t count = element_count(shape, name);
        require(values.size() == static_cast<size_t>(count),
                std::string(name) + " does not have as many elements as its shape");
    };
    has(problem.q, {s.batch, s.heads_q, s.len_q, problem.head_dim}, "q");
    has(problem.k, {s.batch, s.heads_kv, s.len_k, problem.head_dim}, "k");
    has(problem.v, {s.batch, s.heads_kv, s.len_k, problem.head_dim_v}, "v");
    require(s.heads_kv > 0 ? s.heads_q % s.heads_kv == 0 : s.heads_q == 0,
            "heads_q is not a multiple of heads_kv");
}

int64_t visible_keys(CausalMode causal, int64_t row, int64_t len_q, int64_t len_k) {
    switch (causal) {
        case CausalMode::kNone:
            return len_k;
        case CausalMode::kTopLeft:
            return std::min(len_k, row + 1);
        case CausalMode::kBottomRight:
            return std::clamp<int64_t>(row + 1 + len_k - len_q, 0, len_k);
    }
    return 0;
}

}  // namespace sagejit
