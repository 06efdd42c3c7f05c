// XXH3-128: finds damage, not malice.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace sagejit {

using Checksum = std::array<uint8_t, 16>;  // most significant byte first

// Of the pieces one after another.
Checksum checksum(std::initializer_list<std::span<const uint8_t>> pieces);
std::string to_hex(const Checksum& checksum);

}  // namespace sagejit
