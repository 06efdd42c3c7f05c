// e4m3: sign, four bits of exponent (bias 7), three of mantissa; no infinities, 0x7f is NaN.
#pragma once

#include <cstdint>

namespace sagejit {

inline constexpr double kLargestE4m3 = 448;

// The nearest value, ties to even, saturated to 448. NaN stays NaN.
double round_to_e4m3(double value);

double e4m3_to_double(uint8_t bits);

}  // namespace sagejit
