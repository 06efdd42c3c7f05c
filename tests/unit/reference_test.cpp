#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "reference/attention.h"
#include "reference/matrix_multiply.h"
#include "reference/problem.h"
#include "tensor/distributions.h"
#include "tensor/random.h"

namespace sagejit {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

AttentionProblem random_problem(const Shape& shape, int64_t head_dim, int64_t head_dim_v,
                                uint64_t seed = 1) {
    AttentionProblem problem;
    problem.shape = shape;
    problem.head_dim = head_dim;
    problem.head_dim_v = head_dim_v;
    problem.logit_scale = 1 / std::sqrt(static_cast<double>(head_dim));
    RandomStream random(seed, 0);
    problem.q.resize(shape.batch * shape.heads_q * shape.len_q * head_dim);
    problem.k.resize(shape.batch * shape.heads_kv * shape.len_k * head_dim);
    problem.v.resize(shape.batch * shape.heads_kv * shape.len_k * head_dim_v);
    for (std::vector<double>* values : {&problem.q, &problem.k, &problem.v})
        for (double& value : *values) value = random.normal();
    return problem;
}

// The definition, with nothing clever: which keys are visible is asked pair by pair.
AttentionResult plain_attention(const AttentionProblem& p, CausalMode causal) {
    const auto& [batch, heads_q, heads_kv, len_q, len_k] = p.shape;
    const auto sees = [&, lq = len_q, lk = len_k](int64_t i, int64_t j) {
        if (causal == CausalMode::kTopLeft) return j <= i;
        if (causal == CausalMode::kBottomRight) return j <= i + lk - lq;
        return true;
    };
    AttentionResult result;
    for (int64_t b = 0; b < batch; ++b)
        for (int64_t h = 0; h < heads_q; ++h)
            for (int64_t i = 0; i < len_q; ++i) {
                const int64_t kv = b * heads_kv + h / (heads_q / heads_kv);
                const double* q = &p.q[((b * heads_q + h) * len_q + i) * p.head_dim];
                double sum = 0;
                std::vector<double> o(p.head_dim_v, 0.0);
                for (int64_t j = 0; j < len_k; ++j) {
                    if (!sees(i, j)) continue;
                    double logit = 0;
                    for (int64_t d = 0; d < p.head_dim; ++d)
                        logit += q[d] * p.k[(kv * len_k + j) * p.head_dim + d];
                    const double weight = std::exp(logit * p.logit_scale);
                    sum += weight;
                    for (int64_t d = 0; d < p.head_dim_v; ++d)
                        o[d] += weight * p.v[(kv * len_k + j) * p.head_dim_v + d];
                }
                for (const double value : o) result.o.push_back(sum > 0 ? value / sum : 0);
                result.lse.push_back(std::log(sum));
            }
    return result;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
    REQUIRE(a.size() == b.size());
    double worst = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        if (a[i] == b[i]) continue;  // also the same infinity
        const double difference = std::abs(a[i] - b[i]);
        worst = std::isfinite(difference) ? std::max(worst, difference) : kInfinity;
    }
    return worst;
}

}  // namespace

TEST_CASE("multiply_add: all sizes around its tiles, against three loops") {
    RandomStream random(1, 1);
    int wrong = 0, untouched = 0;
    for (const int m : {0, 1, 3, 4, 5, 8, 9})
        for (const int n : {0, 1, 7, 8, 9, 16, 19})
            for (const int k : {0, 1, 2, 17}) {
                constexpr int kStride = 24;
                std::vector<double> a(m * kStride + 1), b(k * kStride + 1), c(m * kStride + 1);
                for (std::vector<double>* values : {&a, &b, &c})
                    for (double& value : *values) value = random.normal();
                std::vector<double> expected = c;
                for (int i = 0; i < m; ++i)
                    for (int j = 0; j < n; ++j)
                        for (int p = 0; p < k; ++p)
                            expected[i * kStride + j] += a[i * kStride + p] * b[p * kStride + j];
                multiply_add(c.data(), kStride, {a.data(), kStride}, {b.data(), kStride}, m, n, k);
                for (int i = 0; i < m * kStride; ++i) {
                    const bool inside = i % kStride < n;
                    // The order of additions is promised, so the bits are.
                    (inside ? wrong : untouched) += c[i] != expected[i];
                }
            }
    CHECK(wrong == 0);
    CHECK(untouched == 0);
}

TEST_CASE("exact attention: by hand") {
    AttentionProblem p;
    p.shape = {1, 1, 1, 2, 2};
    p.head_dim = 1;
    p.head_dim_v = 2;
    p.logit_scale = 0.5;
    p.q = {2, -2};
    p.k = {std::log(3.0), 0};  // logits of row 0: log 3, 0; of row 1: -log 3, 0
    p.v = {4, 8, 0, 100};
    const AttentionResult all = exact_attention(p, CausalMode::kNone);
    CHECK(all.o[0] == Approx(3.0));
    CHECK(all.o[1] == Approx((3 * 8.0 + 100) / 4));
    CHECK(all.o[2] == Approx(1.0));
    CHECK(all.o[3] == Approx((8.0 + 3 * 100) / 4));
    CHECK(all.lse[0] == Approx(std::log(4.0)));
    CHECK(all.lse[1] == Approx(std::log(4.0 / 3)));

    const AttentionResult causal = exact_attention(p, CausalMode::kTopLeft);
    CHECK(causal.o[0] == Approx(4.0));
    CHECK(causal.o[1] == Approx(8.0));
    CHECK(causal.lse[0] == Approx(std::log(3.0)));
    CHECK(causal.o[3] == all.o[3]);
}

TEST_CASE("exact attention: the two causal corners") {
    CHECK(visible_keys(CausalMode::kNone, 0, 5, 3) == 3);
    // Five queries, three keys.
    const int64_t top_left[] = {1, 2, 3, 3, 3}, bottom_right[] = {0, 0, 1, 2, 3};
    for (int64_t i = 0; i < 5; ++i) {
        CHECK(visible_keys(CausalMode::kTopLeft, i, 5, 3) == top_left[i]);
        CHECK(visible_keys(CausalMode::kBottomRight, i, 5, 3) == bottom_right[i]);
    }
    // Three queries, five keys.
    for (int64_t i = 0; i < 3; ++i) {
        CHECK(visible_keys(CausalMode::kTopLeft, i, 3, 5) == i + 1);
        CHECK(visible_keys(CausalMode::kBottomRight, i, 3, 5) == i + 3);
    }
    CHECK(visible_keys(CausalMode::kTopLeft, 0, 3, 0) == 0);
    CHECK(visible_keys(CausalMode::kBottomRight, 2, 3, 0) == 0);
}

TEST_CASE("exact attention: against three loops, for shapes around its blocks") {
    const std::pair<Shape, std::pair<int, int>> cases[] = {
        {{1, 1, 1, 1, 1}, {5, 5}},     {{2, 3, 3, 33, 40}, {8, 16}}, {{1, 4, 2, 70, 129}, {40, 24}},
        {{2, 6, 1, 31, 7}, {64, 32}},  {{1, 2, 2, 1, 200}, {16, 9}}, {{1, 1, 1, 200, 1}, {16, 8}},
        {{1, 2, 1, 100, 65}, {3, 11}},
    };
    for (const auto& [shape, dims] : cases)
        for (const CausalMode causal :
             {CausalMode::kNone, CausalMode::kTopLeft, CausalMode::kBottomRight}) {
            CAPTURE(shape.len_q, shape.len_k, dims.first, static_cast<int>(causal));
            const AttentionProblem problem = random_problem(shape, dims.first, dims.second);
            const AttentionResult expected = plain_attention(problem, causal);
            const AttentionResult actual = exact_attention(problem, causal);
            CHECK(largest_difference(actual.o, expected.o) < 1e-13);
            CHECK(largest_difference(actual.lse, expected.lse) < 1e-13);
        }
}

TEST_CASE("exact attention: large logits neither overflow nor lose the row") {
    AttentionProblem problem = random_problem({1, 1, 1, 4, 50}, 8, 8);
    for (double& value : problem.q) value *= 1e4;
    const AttentionResult result = exact_attention(problem, CausalMode::kNone);
    for (const double value : result.o) CHECK(std::isfinite(value));
    for (const double value : result.lse) CHECK(value > 1000);
    // A negative scale is as good as negated queries.
    AttentionProblem negated = problem;
    negated.logit_scale = -negated.logit_scale;
    for (double& value : negated.q) value = -value;
    CHECK(exact_attention(negated, CausalMode::kNone).o == result.o);
}

TEST_CASE("exact attention: rows without keys are zero with lse -infinity") {
    const AttentionProblem problem = random_problem({1, 2, 1, 5, 3}, 8, 8);
    const AttentionResult masked = exact_attention(problem, CausalMode::kBottomRight);
    for (int64_t h = 0; h < 2; ++h)
        for (int64_t i = 0; i < 5; ++i) {
            CHECK((masked.lse[h * 5 + i] == -kInfinity) == (i < 2));
            for (int64_t d = 0; d < 8; ++d) CHECK((masked.o[(h * 5 + i) * 8 + d] == 0) == (i < 2));
        }
    const AttentionResult no_keys =
        exact_attention(random_problem({2, 2, 1, 5, 0}, 8, 8), CausalMode::kNone);
    CHECK(no_keys.o == std::vector<double>(2 * 2 * 5 * 8, 0.0));
    CHECK(no_keys.lse == std::vector<double>(2 * 2 * 5, -kInfinity));
    const AttentionResult nothing =
        exact_attention(random_problem({0, 2, 1, 5, 4}, 8, 8), CausalMode::kNone);
    CHECK(nothing.o.empty());
    CHECK(exact_attention(random_problem({1, 2, 1, 0, 4}, 8, 8), CausalMode::kTopLeft).o.empty());
}

TEST_CASE("exact attention: NaN and infinity stay in the rows that see them") {
    const int64_t len = 40, dim = 8, bad = 20;
    AttentionProblem clean = random_problem({1, 1, 1, len, len}, dim, dim);
    const AttentionResult expected = exact_attention(clean, CausalMode::kTopLeft);
    const auto row_is_clean = [&](const AttentionResult& result, int64_t i) {
        if (result.lse[i] != expected.lse[i]) return false;
        return std::equal(&result.o[i * dim], &result.o[i * dim] + dim, &expected.o[i * dim]);
    };
    for (const double poison : {kNan, kInfinity, -kInfinity}) {
        CAPTURE(poison);
        AttentionProblem k_bad = clean;
        k_bad.k[bad * dim + 3] = poison;
        const AttentionResult from_k = exact_attention(k_bad, CausalMode::kTopLeft);
        AttentionProblem v_bad = clean;
        v_bad.v[bad * dim + 3] = poison;
        const AttentionResult from_v = exact_attention(v_bad, CausalMode::kTopLeft);
        AttentionProblem q_bad = clean;
        q_bad.q[bad * dim + 3] = kNan;
        const AttentionResult from_q = exact_attention(q_bad, CausalMode::kTopLeft);
        for (int64_t i = 0; i < len; ++i) {
            CAPTURE(i);
            CHECK(row_is_clean(from_q, i) == (i != bad));
            CHECK(row_is_clean(from_k, i) == (i < bad));
            if (i < bad) {
                CHECK(row_is_clean(from_v, i));
                continue;
            }
            // The weight of a key at +infinity is infinite over infinite; at -infinity it is 0.
            const bool positive = clean.q[i * dim + 3] * poison > 0;
            const bool negative = clean.q[i * dim + 3] * poison < 0;
            CHECK((positive || negative) == std::isinf(poison));
            CHECK(std::isnan(from_k.lse[i]) != negative);
            CHECK(std::isnan(from_k.o[i * dim]) != negative);
            // V's poison reaches its own channel only.
            CHECK(from_v.lse[i] == expected.lse[i]);
            for (int64_t d = 0; d < dim; ++d) {
                const double value = from_v.o[i * dim + d];
                if (d != 3)
                    CHECK(value == expected.o[i * dim + d]);
                else
                    CHECK((std::isnan(poison) ? std::isnan(value) : value == poison));
            }
        }
    }
}

TEST_CASE("problem: made from tensors of any strides") {
    AttentionInput input = make_input("normal", {1, 4, 2, 6, 9}, 16, 8, DataType::kBf16, 3);
    const AttentionProblem problem =
        make_problem(input.q.ref(), input.k.ref(), input.v.ref(), 0.25);
    CHECK(problem.group_size() == 2);
    CHECK(problem.head_dim == 16);
    CHECK(problem.head_dim_v == 8);
    CHECK(problem.k == widen_to_double(input.k.ref()));

    // Every second key of the first five tokens.
    TensorRef k = input.k.ref(), v = input.v.ref();
    k.shape[2] = v.shape[2] = 5;
    k.strides[2] *= 2;
    v.strides[2] *= 2;
    const AttentionProblem sparse = make_problem(input.q.ref(), k, v, 0.25);
    for (int64_t head = 0; head < 2; ++head)
        for (int64_t j = 0; j < 5; ++j)
            CHECK(std::equal(&sparse.k[(head * 5 + j) * 16], &sparse.k[(head * 5 + j) * 16] + 16,
                             &problem.k[(head * 9 + 2 * j) * 16]));

    CHECK_THROWS_AS(make_problem(input.q.ref(), input.k.ref(), v, 1), Error);
    CHECK_THROWS_AS(make_problem(input.v.ref(), input.k.ref(), input.v.ref(), 1), Error);
    TensorRef q = input.q.ref();
    q.shape[1] = 3;
    CHECK_THROWS_AS(make_problem(q, input.k.ref(), input.v.ref(), 1), Error);
    AttentionProblem wrong = problem;
    wrong.q.pop_back();
    CHECK_THROWS_AS(exact_attention(wrong, CausalMode::kNone), Error);
}

}  // namespace sagejit
