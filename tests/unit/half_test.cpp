#include "tensor/half.h"

#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "tensor/host_tensor.h"

namespace sagejit {
namespace {

// What the format means, spelled with arithmetic instead of bit tricks.
double decode(uint16_t bits, int exponent_bits, int mantissa_bits) {
    const int field = bits >> mantissa_bits & ((1 << exponent_bits) - 1);
    const int mantissa = bits & ((1 << mantissa_bits) - 1);
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const double sign = bits & 0x8000 ? -1.0 : 1.0;
    if (field == (1 << exponent_bits) - 1)
        return mantissa ? std::nan("") : sign * std::numeric_limits<double>::infinity();
    if (field == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
    return sign * std::ldexp(mantissa + (1 << mantissa_bits), field - bias - mantissa_bits);
}

struct Format {
    const char* name;
    DataType dtype;
    int exponent_bits, mantissa_bits;
    uint16_t infinity;
};
constexpr Format kFormats[] = {{"fp16", DataType::kFp16, 5, 10, 0x7c00},
                               {"bf16", DataType::kBf16, 8, 7, 0x7f80}};

bool same_bits(double a, double b) {
    return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

}  // namespace

TEST_CASE("half: widening every pattern gives its value, narrowing gives it back") {
    for (const Format& format : kFormats) {
        CAPTURE(format.name);
        int wrong_values = 0, wrong_patterns = 0, nans = 0;
        for (int i = 0; i < 65536; ++i) {
            const auto bits = static_cast<uint16_t>(i);
            const float value = half_to_float(bits, format.dtype);
            const double expected = decode(bits, format.exponent_bits, format.mantissa_bits);
            uint16_t back = bits;
            if (std::isnan(expected)) {
                ++nans;
                back = static_cast<uint16_t>(bits | 1 << (format.mantissa_bits - 1));  // quiet
                wrong_values += !std::isnan(value) || std::signbit(value) != (bits >> 15);
            } else {
                wrong_values += !same_bits(value, expected);
            }
            wrong_patterns += half_from_double(value, format.dtype) != back;
        }
        CHECK(nans == 2 * ((1 << format.mantissa_bits) - 1));
        CHECK(wrong_values == 0);
        CHECK(wrong_patterns == 0);
    }
}

TEST_CASE("half: narrowing is to nearest, ties to even, around every finite value") {
    for (const Format& format : kFormats) {
        CAPTURE(format.name);
        int wrong = 0;
        for (uint16_t low = 0; low < format.infinity; ++low) {
            const double a = decode(low, format.exponent_bits, format.mantissa_bits);
            // The successor of the largest finite value is where rounding to infinity begins.
            const auto high = static_cast<uint16_t>(low + 1);
            const double b = high == format.infinity
                                 ? std::ldexp(1.0, (1 << (format.exponent_bits - 1)))
                                 : decode(high, format.exponent_bits, format.mantissa_bits);
            const double middle = (a + b) / 2;
            const uint16_t even = low & 1 ? high : low;
            const std::pair<double, uint16_t> cases[] = {
                {middle, even},
                {std::nextafter(middle, a), low},
                {std::nextafter(middle, b), high},
                {std::nextafter(a, b), low},
                {std::nextafter(b, a), high},
            };
            for (const auto& [value, bits] : cases) {
                wrong += half_from_double(value, format.dtype) != bits;
                wrong += half_from_double(-value, format.dtype) != (bits | 0x8000);
            }
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("half: extremes") {
    const double infinity = std::numeric_limits<double>::infinity();
    CHECK(fp16_from_double(65504.0) == 0x7bff);
    CHECK(fp16_from_double(65519.99) == 0x7bff);
    CHECK(fp16_from_double(65520.0) == 0x7c00);
    CHECK(fp16_from_double(-1e300) == 0xfc00);
    CHECK(fp16_from_double(infinity) == 0x7c00);
    CHECK(fp16_from_double(0x1p-25) == 0x0000);
    CHECK(fp16_from_double(std::nextafter(0x1p-25, 1.0)) == 0x0001);
    CHECK(fp16_from_double(-0x1p-60) == 0x8000);
    CHECK(fp16_from_double(std::numeric_limits<double>::denorm_min()) == 0x0000);
    CHECK(fp16_from_double(-0.0) == 0x8000);
    CHECK(bf16_from_float(std::numeric_limits<float>::max()) == 0x7f80);
    CHECK(bf16_from_float(std::numeric_limits<float>::denorm_min()) == 0x0000);
    CHECK(bf16_from_float(0x1p-133f) == 0x0001);
    CHECK((fp16_from_double(std::numeric_limits<double>::quiet_NaN()) & 0x7e00) == 0x7e00);
    CHECK((bf16_from_double(std::numeric_limits<double>::signaling_NaN()) & 0x7fc0) == 0x7fc0);
    // A NaN whose payload lies below the kept bits must not turn into infinity.
    const float low_payload = std::bit_cast<float>(0x7f80'0001u);
    CHECK((fp16_from_float(low_payload) & 0x7fff) > 0x7c00);
    CHECK((bf16_from_float(low_payload) & 0x7fff) > 0x7f80);
    CHECK(round_to_half(1.0 / 3, DataType::kFp16) == 0x1.554p-2);
    CHECK(round_to_half(1.0 / 3, DataType::kBf16) == 0x1.56p-2);
}

TEST_CASE("half: rounds once") {
    // Through fp32 this would first become the tie 1 + 2^-11 and then round to even, down.
    const double value = 1 + 0x1p-11 + 0x1p-40;
    CHECK(fp16_from_double(value) == 0x3c01);
    CHECK(fp16_from_float(static_cast<float>(value)) == 0x3c00);
}

#ifdef __FLT16_MANT_DIG__
TEST_CASE("half: fp16 agrees with the compiler's own type") {
    int wrong = 0;
    for (int i = 0; i < 65536; ++i) {
        const auto bits = static_cast<uint16_t>(i);
        const float theirs = static_cast<float>(std::bit_cast<_Float16>(bits));
        const float ours = fp16_to_float(bits);
        wrong += std::bit_cast<uint32_t>(theirs) != std::bit_cast<uint32_t>(ours);
    }
    CHECK(wrong == 0);
    std::mt19937_64 random(7);
    for (int i = 0; i < 2'000'000; ++i) {
        // Uniform bit patterns rarely hit fp16's range, so half of the values are drawn into it.
        const auto pattern = static_cast<uint32_t>(random());
        const float anywhere = std::bit_cast<float>(pattern);
        const float inside = std::bit_cast<float>((pattern & 0x807f'ffff) | 0x3f80'0000);
        const float scaled = i % 2 ? anywhere : std::ldexp(inside, i / 2 % 44 - 27);
        if (std::isnan(scaled)) continue;
        wrong += std::bit_cast<uint16_t>(static_cast<_Float16>(scaled)) != fp16_from_float(scaled);
    }
    CHECK(wrong == 0);
}
#endif

TEST_CASE("half: bulk conversions") {
    const std::vector<double> values = {0.0, -1.5, 65504.0, 0x1p-24};
    for (const DataType dtype : {DataType::kFp16, DataType::kBf16}) {
        const std::vector<uint16_t> bits = narrow(values, dtype);
        const std::vector<double> wide = widen_to_double(bits, dtype);
        REQUIRE(wide.size() == values.size());
        for (size_t i = 0; i < values.size(); ++i)
            CHECK(wide[i] == round_to_half(values[i], dtype));
    }
}

TEST_CASE("host tensor: strided views widen in row-major order") {
    HostTensor tensor = make_host_tensor(DataType::kFp16, {1, 2, 3, 2});
    CHECK(reinterpret_cast<uintptr_t>(tensor.data.data()) % 64 == 0);
    for (size_t i = 0; i < 12; ++i) tensor.bits()[i] = fp16_from_double(static_cast<double>(i));
    CHECK(widen_to_double(tensor.ref()) ==
          std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    // The same memory read as [batch 1, len 3, heads 2, dim 2] has heads inside tokens.
    TensorRef view = tensor.ref();
    view.strides = {12, 2, 4, 1};
    CHECK(widen_to_float(view) == std::vector<float>{0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11});
    CHECK(make_host_tensor(DataType::kBf16, {0, 5, 1, 8}).data.empty());
    CHECK_THROWS_AS(make_host_tensor(DataType::kBf16, {1, -1, 1, 8}), Error);
    CHECK_THROWS_AS(make_host_tensor(DataType::kBf16, {0, int64_t{1} << 40, int64_t{1} << 40, 1}),
                    Error);
}

}  // namespace sagejit
