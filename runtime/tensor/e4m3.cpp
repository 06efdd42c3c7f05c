#include "tensor/e4m3.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sagejit {
namespace {

constexpr int kLeastExponent = -6;  // below it numbers are denormal
constexpr int kMantissaBits = 3;
constexpr int kBias = 7;

}  // namespace

double round_to_e4m3(double value) {
    if (std::isnan(value)) return value;
    const double magnitude = std::min(std::abs(value), kLargestE4m3);
    if (magnitude == 0) return value;
    const int exponent = std::max(std::ilogb(magnitude), kLeastExponent);
    const double step = std::ldexp(1.0, exponent - kMantissaBits);
    return std::copysign(std::rint(magnitude / step) * step, value);
}

double e4m3_to_double(uint8_t bits) {
    const int exponent = bits >> kMantissaBits & 15, mantissa = bits & 7;
    if (exponent == 15 && mantissa == 7) return std::numeric_limits<double>::quiet_NaN();
    const double magnitude = exponent == 0
                                 ? std::ldexp(mantissa, kLeastExponent - kMantissaBits)
                                 : std::ldexp(8 + mantissa, exponent - kBias - kMantissaBits);
    return (bits & 0x80) != 0 ? -magnitude : magnitude;
}

}  // namespace sagejit
