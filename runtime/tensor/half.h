// fp16 and bf16 as bit patterns: exact widening, and narrowing to nearest, ties to even.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sagejit/generator/spec.h"

namespace sagejit {

// Widening is exact; NaN keeps its sign and payload and becomes quiet, as the hardware does.
float fp16_to_float(uint16_t bits);
float bf16_to_float(uint16_t bits);

// Narrowing rounds once, to nearest with ties to even, subnormals included; too large gives
// infinity, NaN keeps its sign and the top of its payload and becomes quiet.
uint16_t fp16_from_double(double value);
uint16_t bf16_from_double(double value);
inline uint16_t fp16_from_float(float value) { return fp16_from_double(value); }
inline uint16_t bf16_from_float(float value) { return bf16_from_double(value); }

// The same, with the format as a value.
float half_to_float(uint16_t bits, DataType dtype);
uint16_t half_from_double(double value, DataType dtype);

// The nearest value of the format, as a double.
double round_to_half(double value, DataType dtype);

// Whole arrays, element by element.
std::vector<double> widen_to_double(std::span<const uint16_t> bits, DataType dtype);
std::vector<uint16_t> narrow(std::span<const double> values, DataType dtype);

}  // namespace sagejit
