#include "target_rank.h"

#include <algorithm>
#include <charconv>

namespace sagejit {

Architecture parse_architecture(std::string_view target) {
    constexpr std::string_view kPrefix = "sm_";
    constexpr size_t kLeastDigits = 2, kMostDigits = 4;
    if (!target.starts_with(kPrefix)) return {};
    target.remove_prefix(kPrefix.size());
    const size_t digits = std::min(target.find_first_not_of("0123456789"), target.size());
    const std::string_view suffix = target.substr(digits);
    const bool good =
        digits >= kLeastDigits && digits <= kMostDigits && target[0] != '0' &&
        (suffix.empty() || (suffix.size() == 1 && suffix[0] >= 'a' && suffix[0] <= 'z'));
    if (!good) return {};
    Architecture architecture{0, std::string(suffix)};
    std::from_chars(target.data(), target.data() + digits, architecture.number);
    return architecture;
}

std::optional<int> target_rank(std::string_view target, int major, int minor) {
    constexpr int kTegra = 87;
    const Architecture architecture = parse_architecture(target);
    const int device = major * 10 + minor;
    if (architecture.number == 0) return std::nullopt;
    if (architecture.number == device) return architecture.suffix.empty() ? 1 : 0;
    const bool compatible = architecture.suffix.empty() && architecture.number / 10 == major &&
                            architecture.number < device && architecture.number != kTegra &&
                            device != kTegra;
    if (!compatible) return std::nullopt;
    return 1 + device - architecture.number;
}

}  // namespace sagejit
