// What a build tool has to watch: a rule as make and ninja read them.
#pragma once

#include <string>
#include <vector>

namespace sagejit::cli {

// "output: a b", with the characters escaped that mean something to make.
std::string dependency_rule(const std::string& output, const std::vector<std::string>& inputs);

}  // namespace sagejit::cli
