// Reading the log of `ptxas --verbose`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compile_cubin.h"

namespace sagejit {

// The resources of each entry, by symbol. Lines it does not know are ignored.
std::vector<CubinEntry> parse_ptxas_log(std::string_view log);

// The lines that are more than information: everything but blank lines and `ptxas info`. Advice
// on lost performance counts, although ptxas calls it information ("(C7510) Potential Performance
// Loss: wgmma.mma_async instructions are serialized").
std::string warnings_in_log(std::string_view log);

}  // namespace sagejit
