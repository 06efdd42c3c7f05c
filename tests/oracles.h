// The three oracles, applied to the outcome of a case (tests/harness.h).
#pragma once

#include <string>
#include <vector>

#include "harness.h"

namespace sagejit::test {

// Oracle 1: quantized Q, K and V, their scales and marks, bit for bit; K's mean within fp32
// rounding of the fp64 mean. k_mean receives the mean the kernels used.
std::vector<std::string> check_quantizers(const Case& test_case, const Outcome& outcome,
                                          std::vector<double>& k_mean);

// Oracles 2 and 3: the outputs against the fp64 model of the quantized algorithm, and against
// fp64 attention no further than 5 % beyond what the model predicts.
std::vector<std::string> check_outputs(const Case& test_case, const Outcome& outcome,
                                       const std::vector<double>& k_mean);

}  // namespace sagejit::test
