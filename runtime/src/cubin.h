// What a cubin says about itself.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace sagejit {

// The architecture a cubin was compiled for, e.g. 90 for sm_90 and sm_90a; nullopt for anything
// that is not a 64-bit little-endian CUDA ELF file with its section table inside.
std::optional<int> cubin_arch(std::span<const uint8_t> bytes);

}  // namespace sagejit
