#include "reference/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sagejit/generator/error.h"

namespace sagejit {
namespace {

void require_same_size(size_t reference, size_t actual) {
    if (reference != actual)
        throw Error(ErrorCode::kInvalidArgument, "the two results differ in size", "compare",
                    "compare tensors of one shape");
}

template <class Real>
LseMetrics compare_logarithms(std::span<const double> reference, std::span<const Real> actual) {
    require_same_size(reference.size(), actual.size());
    const auto sees_no_key = [](double lse) { return std::isinf(lse) && lse < 0; };
    LseMetrics metrics;
    for (size_t i = 0; i < reference.size(); ++i) {
        const double a = reference[i], b = actual[i];
        if (std::isfinite(a) && std::isfinite(b)) {
            ++metrics.compared;
            metrics.max_abs = std::max(metrics.max_abs, std::abs(a - b));
        } else if (std::isfinite(a) != std::isfinite(b) || sees_no_key(a) != sees_no_key(b)) {
            ++metrics.mismatched_nonfinite;
        } else {
            ++metrics.both_nonfinite;
        }
    }
    return metrics;
}

}  // namespace

Metrics compare(std::span<const double> reference, std::span<const double> actual) {
    require_same_size(reference.size(), actual.size());
    Metrics metrics;
    double dot = 0, square_a = 0, square_b = 0, sum_a = 0, sum_difference = 0, sum_square = 0;
    for (size_t i = 0; i < reference.size(); ++i) {
        const double a = reference[i], b = actual[i];
        if (!std::isfinite(a) || !std::isfinite(b)) {
            ++(std::isfinite(a) == std::isfinite(b) ? metrics.both_nonfinite
                                                    : metrics.mismatched_nonfinite);
            continue;
        }
        ++metrics.compared;
        const double difference = std::abs(a - b);
        dot += a * b;
        square_a += a * a;
        square_b += b * b;
        sum_a += std::abs(a);
        sum_difference += difference;
        sum_square += difference * difference;
        metrics.max_abs = std::max(metrics.max_abs, difference);
    }
    if (square_a > 0 || square_b > 0)
        metrics.cosine =
            square_a > 0 && square_b > 0 ? dot / (std::sqrt(square_a) * std::sqrt(square_b)) : 0;
    if (sum_difference > 0)
        metrics.rel_l1 =
            sum_a > 0 ? sum_difference / sum_a : std::numeric_limits<double>::infinity();
    if (metrics.compared > 0)
        metrics.rmse = std::sqrt(sum_square / static_cast<double>(metrics.compared));
    return metrics;
}

LseMetrics compare_lse(std::span<const double> reference, std::span<const float> actual) {
    return compare_logarithms(reference, actual);
}
LseMetrics compare_lse(std::span<const double> reference, std::span<const double> actual) {
    return compare_logarithms(reference, actual);
}

}  // namespace sagejit
