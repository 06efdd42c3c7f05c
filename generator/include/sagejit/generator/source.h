// The emitted source: one self-contained CUDA file, and the same kernels for the host device.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sagejit/generator/plan.h"

namespace sagejit {

// The version written into every source; part of every cache key.
std::string_view generator_version();

// The version and a hash of everything that decides what is emitted, "0.1.0-89abcdef01234567". Of
// the same identity, the same plan gives the same source.
std::string_view generator_id();

struct Source {
    std::string text;       // CUDA C++, no #include
    std::string host_text;  // the same kernels over the host column of the instruction wrappers
    std::vector<std::string> entries;  // extern "C" symbols, in launch order
    std::string hash;  // 32 hex digits: XXH3-128 of `text` without its provenance header
};

// Spells a plan. Deterministic: same plan, same bytes. Reads nothing outside the binary.
Source emit(const Plan& plan);

}  // namespace sagejit
