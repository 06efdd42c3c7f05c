#include "bundle/checksum.h"

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <iterator>

namespace sagejit {

Checksum checksum(std::initializer_list<std::span<const uint8_t>> pieces) {
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    for (const std::span<const uint8_t> piece : pieces) {
        XXH3_128bits_update(&state, piece.data(), piece.size());
    }
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&state));
    Checksum result;
    std::copy(std::begin(canonical.digest), std::end(canonical.digest), result.begin());
    return result;
}

std::string to_hex(const Checksum& checksum) {
    std::string text;
    for (const uint8_t byte : checksum) text += fmt::format("{:02x}", byte);
    return text;
}

}  // namespace sagejit
