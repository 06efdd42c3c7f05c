// Which compiled code a GPU can run, and which it would rather.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sagejit {

// The parts of a target's name: {90, "a"} for "sm_90a".
struct Architecture {
    int number = 0;
    std::string suffix;
};
// number 0 for a text that is not "sm_", two to four digits, and at most one small letter.
Architecture parse_architecture(std::string_view target);

// How well code for a target suits a GPU of compute capability major.minor: 0 is best, nullopt when
// it does not run there. Before the GPU's own plain architecture comes the one with a letter, whose
// code runs on exactly that; behind it those of the same major number and a lower minor one, the
// highest first. The Tegra part, sm_87, shares code with no other.
std::optional<int> target_rank(std::string_view target, int major, int minor);

}  // namespace sagejit
