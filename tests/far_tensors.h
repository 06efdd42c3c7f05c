// Tensors whose elements lie further apart than 32 bits count.
#pragma once

#include <string>
#include <vector>

#include "harness.h"

namespace sagejit::test {

enum class Far { kHeads, kTokens };

// Launches the case with tensors whose heads, or tokens, end more than 2^31 elements behind the
// first one, and with contiguous ones. Returns how outputs differ: empty where they do not by a
// bit. Memory in between is allocated and not touched: up to 5 GiB a tensor.
std::string far_difference(const Case& test_case, const Device& device, Far far);

// Of each way in which kernels read and write the caller's tensors.
std::vector<Case> far_cases();

}  // namespace sagejit::test
