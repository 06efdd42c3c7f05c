// How far a result is from the reference, in the numbers used everywhere in this project.
#pragma once

#include <cstdint>
#include <span>

namespace sagejit {

struct Metrics {
    double cosine = 1;     // of the two tensors as vectors; 1 when both are zero, 0 when one is
    double rel_l1 = 0;     // sum |o - o'| / sum |o|; 0 when both are zero, infinite when only o is
    double rmse = 0;       // root of the mean of (o - o')^2
    double max_abs = 0;    // largest |o - o'|
    int64_t compared = 0;  // elements that are finite in both
    int64_t both_nonfinite = 0;        // agree, and take no part in the numbers above
    int64_t mismatched_nonfinite = 0;  // finite in one only: never acceptable
};

// Compares element by element. Throws Error(kInvalidArgument) when the sizes differ.
Metrics compare(std::span<const double> reference, std::span<const double> actual);

struct LseMetrics {
    double max_abs = 0;  // largest |lse - lse'|
    int64_t compared = 0;
    int64_t both_nonfinite = 0;
    // Finite in one only, or -infinity ("no key") in one only.
    int64_t mismatched_nonfinite = 0;
};
LseMetrics compare_lse(std::span<const double> reference, std::span<const float> actual);
LseMetrics compare_lse(std::span<const double> reference, std::span<const double> actual);

}  // namespace sagejit
