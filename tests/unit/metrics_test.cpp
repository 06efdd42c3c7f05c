#include "reference/metrics.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "sagejit/generator/error.h"

namespace sagejit {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Metrics compare_lists(std::vector<double> reference, std::vector<double> actual) {
    return compare(reference, actual);
}

}  // namespace

TEST_CASE("metrics: by hand") {
    const Metrics m = compare_lists({3, -4, 0, 1}, {3, -3, 1, 3});
    CHECK(m.cosine == Approx((9 + 12 + 0 + 3) / (std::sqrt(26.0) * std::sqrt(28.0))));
    CHECK(m.rel_l1 == Approx(4.0 / 8));
    CHECK(m.rmse == Approx(std::sqrt((1.0 + 1 + 4) / 4)));
    CHECK(m.max_abs == 2);
    CHECK(m.compared == 4);
    CHECK(m.both_nonfinite == 0);
    CHECK(m.mismatched_nonfinite == 0);
}

TEST_CASE("metrics: rel_l1 divides by the reference, not by the result") {
    CHECK(compare_lists({1, 1}, {4, 4}).rel_l1 == 3);
    CHECK(compare_lists({4, 4}, {1, 1}).rel_l1 == 0.75);
    CHECK(compare_lists({1, 2}, {-1, -2}).cosine == Approx(-1));
}

TEST_CASE("metrics: zeros") {
    const Metrics equal = compare_lists({0, 0}, {0, -0.0});
    CHECK(equal.cosine == 1);
    CHECK(equal.rel_l1 == 0);
    CHECK(equal.rmse == 0);
    const Metrics wrong = compare_lists({0, 0}, {0, 1});
    CHECK(wrong.cosine == 0);
    CHECK(wrong.rel_l1 == kInfinity);
    CHECK(wrong.max_abs == 1);
    const Metrics lost = compare_lists({0, 1}, {0, 0});
    CHECK(lost.cosine == 0);
    CHECK(lost.rel_l1 == 1);
    const Metrics empty = compare_lists({}, {});
    CHECK(empty.cosine == 1);
    CHECK(empty.rel_l1 == 0);
    CHECK(empty.rmse == 0);
    CHECK(empty.compared == 0);
}

TEST_CASE("metrics: what is not finite is counted and left out") {
    const Metrics m = compare_lists({1, kNan, kInfinity, -kInfinity, kNan, 2, kInfinity},
                                    {1, kNan, kNan, kInfinity, 5, kNan, 7});
    CHECK(m.compared == 1);
    CHECK(m.both_nonfinite == 3);
    CHECK(m.mismatched_nonfinite == 3);
    CHECK(m.cosine == 1);
    CHECK(m.max_abs == 0);
    const Metrics nothing_left = compare_lists({kNan}, {kInfinity});
    CHECK(nothing_left.compared == 0);
    CHECK(nothing_left.rmse == 0);
}

TEST_CASE("metrics: large and small values neither overflow nor vanish") {
    const Metrics large = compare_lists({3e38, -3e38}, {3e38, -2.9e38});
    CHECK(large.cosine == Approx(0.99986).margin(1e-4));
    CHECK(large.max_abs == Approx(1e37));
    const Metrics small = compare_lists({1e-38, 1e-38}, {1e-38, 2e-38});
    CHECK(small.rel_l1 == Approx(0.5));
    CHECK(small.cosine == Approx(3 / std::sqrt(10.0)));
}

TEST_CASE("metrics: lse") {
    const std::vector<double> reference = {1, -kInfinity, kNan, 2, -kInfinity, -kInfinity, kNan};
    const std::vector<float> actual = {
        1.5f, static_cast<float>(-kInfinity), static_cast<float>(kInfinity), 1.75f,
        0,    static_cast<float>(kNan),       static_cast<float>(-kInfinity)};
    const LseMetrics m = compare_lse(reference, actual);
    CHECK(m.max_abs == 0.5);
    CHECK(m.compared == 2);
    CHECK(m.both_nonfinite == 2);
    CHECK(m.mismatched_nonfinite == 3);
}

TEST_CASE("metrics: sizes must agree") {
    CHECK_THROWS_AS(compare_lists({1}, {1, 2}), Error);
    const std::vector<double> one = {1};
    CHECK_THROWS_AS(compare_lse(one, std::vector<float>{}), Error);
}

}  // namespace sagejit
