// Rows that bench wrote earlier.
#pragma once

#include <string>
#include <vector>

#include "output.h"

namespace sagejit::cli {

// The rows of the kind "bench" in files of JSON lines, in order; others are left out. Throws
// Error(kIo), and Error(kInvalidInput) with file and line for what is no such row.
Json read_bench_rows(const std::vector<std::string>& files);

}  // namespace sagejit::cli
