// Where things are in a bundle: docs/explanation/bundles.md, "The file".
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bundle/checksum.h"

namespace sagejit {

inline constexpr std::array<uint8_t, 8> kBundleMagic = {0x89, 'S',  'J',  'B',
                                                        '\r', '\n', 0x1a, '\n'};
inline constexpr uint32_t kBundleVersion = 1;
inline constexpr uint64_t kMaxManifestBytes = uint64_t{16} << 20;
inline constexpr uint64_t kMaxCubinBytes = uint64_t{256} << 20;
inline constexpr uint64_t kCubinAlignment = 64;

struct BundleHeader {
    std::array<uint8_t, 8> magic = kBundleMagic;
    uint32_t version = kBundleVersion;
    uint32_t header_bytes = 64;
    uint64_t file_bytes = 0;
    uint64_t manifest_bytes = 0;
    std::array<uint64_t, 2> zero{};
    Checksum checksum{};  // of everything before it and the manifest
};
static_assert(sizeof(BundleHeader) == 64 && std::endian::native == std::endian::little,
              "bundles are little-endian, without padding");

// Bytes a checksum of the header covers.
inline constexpr size_t kCheckedHeaderBytes = 48;

// The least multiple of kCubinAlignment from `offset` on. Needs offset below 2^63.
constexpr uint64_t align_cubin(uint64_t offset) {
    return (offset + kCubinAlignment - 1) / kCubinAlignment * kCubinAlignment;
}

// Reads and checks a header but for its checksum, which needs the manifest. size: of the file.
// Throws Error(kInvalidInput).
BundleHeader parse_header(std::span<const uint8_t> bytes, uint64_t size, const std::string& origin);

// Throws Error(kInvalidInput) unless the header's checksum is that of it and the manifest.
void check_manifest(const BundleHeader& header, std::span<const uint8_t> manifest,
                    const std::string& origin);

// A header and the manifest behind it, with sizes and checksum filled in.
std::vector<uint8_t> encode_head(std::span<const uint8_t> manifest, uint64_t file_bytes);

// Throws Error(kInvalidInput): what is wrong with the bundle, and what to do.
[[noreturn]] void refuse_bundle(const std::string& origin, const std::string& problem);

}  // namespace sagejit
