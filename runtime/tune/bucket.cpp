#include "tune/bucket.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sagejit {
namespace {

// Nearest on the logarithmic scale: from sqrt(2) times a power on, the next one.
int64_t nearest_power_of_two(double size) {
    return int64_t{1} << std::lround(std::log2(std::max(size, 1.0)));
}

double doublings(int64_t a, int64_t b) {
    return std::abs(std::log2(static_cast<double>(a)) - std::log2(static_cast<double>(b)));
}

}  // namespace

ShapeBucket bucket_of(const Shape& shape) {
    const double rows = static_cast<double>(shape.batch) * static_cast<double>(shape.heads_q);
    return {nearest_power_of_two(rows), nearest_power_of_two(static_cast<double>(shape.len_q)),
            nearest_power_of_two(static_cast<double>(shape.len_k))};
}

double distance(const ShapeBucket& a, const ShapeBucket& b) {
    return doublings(a.rows, b.rows) / 2 + doublings(a.len_q, b.len_q) +
           doublings(a.len_k, b.len_k);
}

double pairs(const ShapeBucket& bucket) {
    return static_cast<double>(bucket.rows) * static_cast<double>(bucket.len_q) *
           static_cast<double>(bucket.len_k);
}

std::string to_text(const ShapeBucket& bucket) {
    return fmt::format("rows {}, len {}/{}", bucket.rows, bucket.len_q, bucket.len_k);
}

}  // namespace sagejit
