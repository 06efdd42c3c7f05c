// The legal value closest to a wrong one, for the `fix` of an error.
#pragma once

#include <span>
#include <string_view>

namespace sagejit {

// The number closest to `value`, the smaller one of two at equal distance. `numbers` is not empty.
int nearest_number(std::span<const int> numbers, double value);

// The word closest to `text` by edit distance, case ignored; the first one of several at equal
// distance. `words` is not empty.
std::string_view nearest_word(std::span<const std::string_view> words, std::string_view text);

}  // namespace sagejit
