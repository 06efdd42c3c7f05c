// e4m3 as the references round to it.
#include "tensor/e4m3.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "host/warpgroup_multiply.h"

using namespace sagejit;

TEST_CASE("e4m3 bytes mean what the host device's products take them for") {
    for (int bits = 0; bits < 256; ++bits) {
        const double value = e4m3_to_double(static_cast<uint8_t>(bits));
        const float multiplied = host::e4m3_to_float(static_cast<uint8_t>(bits));
        INFO(bits);
        if (std::isnan(value)) {
            CHECK((bits & 0x7f) == 0x7f);
            CHECK(std::isnan(multiplied));
            continue;
        }
        CHECK(value == static_cast<double>(multiplied));
        CHECK(round_to_e4m3(value) == value);
    }
}

TEST_CASE("e4m3 rounds to nearest, ties to even, and saturates") {
    // Positive numbers in order of their bits: 0, denormals, 448 last.
    std::vector<double> numbers;
    for (int bits = 0; bits < 0x7f; ++bits) {
        numbers.push_back(e4m3_to_double(static_cast<uint8_t>(bits)));
    }
    for (size_t i = 0; i + 1 < numbers.size(); ++i) {
        const double low = numbers[i], high = numbers[i + 1], middle = (low + high) / 2;
        CHECK(high > low);
        CHECK(round_to_e4m3(std::nextafter(middle, low)) == low);
        CHECK(round_to_e4m3(std::nextafter(middle, high)) == high);
        CHECK(round_to_e4m3(middle) == (i % 2 == 0 ? low : high));
        CHECK(round_to_e4m3(-middle) == -round_to_e4m3(middle));
    }
    CHECK(numbers.back() == kLargestE4m3);
    CHECK(round_to_e4m3(1e9) == kLargestE4m3);
    CHECK(round_to_e4m3(-std::numeric_limits<double>::infinity()) == -kLargestE4m3);
    CHECK(std::isnan(round_to_e4m3(std::numeric_limits<double>::quiet_NaN())));
    CHECK(std::signbit(round_to_e4m3(-0.0)));
}
