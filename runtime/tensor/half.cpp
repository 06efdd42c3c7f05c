#include "tensor/half.h"

#include <bit>
#include <cstddef>

namespace sagejit {
namespace {

constexpr int kDoubleMantissaBits = 52;
constexpr int kDoubleBias = 1023;
constexpr uint64_t kDoubleMantissaMask = (uint64_t{1} << kDoubleMantissaBits) - 1;
constexpr int kDoubleExponentMax = 0x7ff;

// Rounds a double to a 16-bit format with one sign bit.
template <int kExponentBits, int kMantissaBits>
uint16_t narrow_double(double value) {
    static_assert(1 + kExponentBits + kMantissaBits == 16);
    constexpr int kMinExponent = 2 - (1 << (kExponentBits - 1));  // of a normal number
    constexpr uint64_t kInfinity = ((uint64_t{1} << kExponentBits) - 1) << kMantissaBits;
    constexpr uint64_t kQuiet = uint64_t{1} << (kMantissaBits - 1);
    constexpr int kDropped = kDoubleMantissaBits - kMantissaBits;

    const uint64_t bits = std::bit_cast<uint64_t>(value);
    const uint64_t sign = bits >> 63 << 15;
    const uint64_t mantissa = bits & kDoubleMantissaMask;
    const int biased = static_cast<int>(bits >> kDoubleMantissaBits) & kDoubleExponentMax;
    if (biased == kDoubleExponentMax) {
        const uint64_t payload = mantissa == 0 ? 0 : kQuiet | (mantissa >> kDropped);
        return static_cast<uint16_t>(sign | kInfinity | payload);
    }
    // A double's subnormals are far below half of the smallest subnormal of either format.
    if (biased == 0) return static_cast<uint16_t>(sign);

    const int exponent = biased - kDoubleBias;
    const int below = exponent < kMinExponent ? kMinExponent - exponent : 0;
    const int shift = kDropped + below;
    if (shift > kDoubleMantissaBits + 1) return static_cast<uint16_t>(sign);
    const uint64_t significand = mantissa | (kDoubleMantissaMask + 1);
    const uint64_t half_minus_one = (uint64_t{1} << (shift - 1)) - 1;
    const uint64_t rounded = (significand + half_minus_one + ((significand >> shift) & 1)) >> shift;
    // The leading one of a normal number adds 1 to the exponent field; a carry does so again.
    const uint64_t field = below > 0 ? 0 : static_cast<uint64_t>(exponent - kMinExponent);
    const uint64_t magnitude = (field << kMantissaBits) + rounded;
    return static_cast<uint16_t>(sign | (magnitude < kInfinity ? magnitude : kInfinity));
}

}  // namespace

float fp16_to_float(uint16_t bits) {
    const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
    const uint32_t magnitude = bits & 0x7fff;
    if (magnitude >= 0x7c00) {
        const uint32_t quiet = magnitude > 0x7c00 ? 0x0040'0000 : 0;
        return std::bit_cast<float>(sign | 0x7f80'0000 | quiet | (magnitude & 0x3ff) << 13);
    }
    if (magnitude < 0x0400) {
        const float value = static_cast<float>(magnitude) * 0x1p-24f;
        return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
    }
    return std::bit_cast<float>(sign | ((magnitude << 13) + ((127 - 15) << 23)));
}

float bf16_to_float(uint16_t bits) {
    const bool nan = (bits & 0x7fff) > 0x7f80;
    return std::bit_cast<float>(static_cast<uint32_t>(bits | (nan ? 0x0040 : 0)) << 16);
}

uint16_t fp16_from_double(double value) { return narrow_double<5, 10>(value); }
uint16_t bf16_from_double(double value) { return narrow_double<8, 7>(value); }

float half_to_float(uint16_t bits, DataType dtype) {
    switch (dtype) {
        case DataType::kFp16:
            return fp16_to_float(bits);
        case DataType::kBf16:
            return bf16_to_float(bits);
    }
    return 0;
}

uint16_t half_from_double(double value, DataType dtype) {
    switch (dtype) {
        case DataType::kFp16:
            return fp16_from_double(value);
        case DataType::kBf16:
            return bf16_from_double(value);
    }
    return 0;
}

double round_to_half(double value, DataType dtype) {
    return half_to_float(half_from_double(value, dtype), dtype);
}

std::vector<double> widen_to_double(std::span<const uint16_t> bits, DataType dtype) {
    std::vector<double> values(bits.size());
    for (size_t i = 0; i < bits.size(); ++i) values[i] = half_to_float(bits[i], dtype);
    return values;
}

std::vector<uint16_t> narrow(std::span<const double> values, DataType dtype) {
    std::vector<uint16_t> bits(values.size());
    for (size_t i = 0; i < values.size(); ++i) bits[i] = half_from_double(values[i], dtype);
    return bits;
}

}  // namespace sagejit
