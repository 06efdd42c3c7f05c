#include "nearest.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace sagejit {
namespace {

// Longer texts are cut: they resemble nothing, and the work stays bounded.
constexpr size_t kLongestCompared = 64;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Levenshtein distance in bytes, one row of the table at a time.
int edit_distance(std::string_view a, std::string_view b) {
    std::vector<int> row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
    for (size_t i = 1; i <= a.size(); ++i) {
        int diagonal = row[0];
        row[0] = static_cast<int>(i);
        for (size_t j = 1; j <= b.size(); ++j) {
            const int replace = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({replace, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

}  // namespace

int nearest_number(std::span<const int> numbers, double value) {
    // Far away, rounding makes all of them equally distant.
    const auto [least, most] = std::minmax_element(numbers.begin(), numbers.end());
    const double inside = std::clamp<double>(value, *least, *most);
    return *std::min_element(numbers.begin(), numbers.end(), [inside](int a, int b) {
        const double to_a = std::abs(a - inside), to_b = std::abs(b - inside);
        return to_a < to_b || (to_a == to_b && a < b);
    });
}

std::string_view nearest_word(std::span<const std::string_view> words, std::string_view text) {
    text = text.substr(0, kLongestCompared);
    return *std::min_element(words.begin(), words.end(),
                             [text](std::string_view a, std::string_view b) {
                                 return edit_distance(a, text) < edit_distance(b, text);
                             });
}

}  // namespace sagejit
