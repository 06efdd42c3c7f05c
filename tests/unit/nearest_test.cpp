#include "nearest.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace sagejit;

TEST_CASE("nearest: numbers and words") {
    const std::vector<int> numbers = {32, 64, 128};
    CHECK(nearest_number(numbers, 48) == 32);
    CHECK(nearest_number(numbers, 48.5) == 64);
    CHECK(nearest_number(numbers, 1e308) == 128);
    CHECK(nearest_number(numbers, -1e308) == 32);
    const std::vector<std::string_view> words = {"token", "block", "thread"};
    CHECK(nearest_word(words, "TOKEN") == "token");
    CHECK(nearest_word(words, "treads") == "thread");
    CHECK(nearest_word(words, "") == "token");
    CHECK(nearest_word(words, std::string(1 << 20, 'b')) == "block");
}
