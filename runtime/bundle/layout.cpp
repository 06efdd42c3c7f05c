#include "bundle/layout.h"

#include <fmt/format.h>

#include <cstring>

#include "sagejit/generator/error.h"

namespace sagejit {
namespace {

Checksum head_checksum(const BundleHeader& header, std::span<const uint8_t> manifest) {
    std::array<uint8_t, kCheckedHeaderBytes> checked;
    std::memcpy(checked.data(), &header, checked.size());
    return checksum({checked, manifest});
}

}  // namespace

void refuse_bundle(const std::string& origin, const std::string& problem) {
    throw Error(ErrorCode::kInvalidInput, "not a usable bundle: " + problem, origin,
                "make it again with sagejit build, and copy it in binary mode");
}

BundleHeader parse_header(std::span<const uint8_t> bytes, uint64_t size,
                          const std::string& origin) {
    BundleHeader header;
    if (bytes.size() < sizeof header) refuse_bundle(origin, "it is shorter than a header");
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.magic != kBundleMagic) refuse_bundle(origin, "it does not begin as bundles do");
    if (header.version != kBundleVersion) {
        refuse_bundle(origin, fmt::format("its format version is {}, and this sagejit reads {}",
                                          header.version, kBundleVersion));
    }
    if (header.header_bytes != sizeof header || header.zero != decltype(header.zero){}) {
        refuse_bundle(origin, "its header is damaged");
    }
    if (header.file_bytes != size) {
        refuse_bundle(origin, fmt::format("it has {} bytes where its header says {}", size,
                                          header.file_bytes));
    }
    if (header.manifest_bytes > kMaxManifestBytes || header.manifest_bytes > size - sizeof header) {
        refuse_bundle(origin,
                      fmt::format("its manifest cannot have {} bytes", header.manifest_bytes));
    }
    return header;
}

void check_manifest(const BundleHeader& header, std::span<const uint8_t> manifest,
                    const std::string& origin) {
    if (header.checksum != head_checksum(header, manifest)) {
        refuse_bundle(origin, "its header or manifest is damaged: the checksum differs");
    }
}

std::vector<uint8_t> encode_head(std::span<const uint8_t> manifest, uint64_t file_bytes) {
    BundleHeader header;
    header.file_bytes = file_bytes;
    header.manifest_bytes = manifest.size();
    header.checksum = head_checksum(header, manifest);
    std::vector<uint8_t> bytes(sizeof header + manifest.size());
    std::memcpy(bytes.data(), &header, sizeof header);
    std::copy(manifest.begin(), manifest.end(), bytes.begin() + sizeof header);
    return bytes;
}

}  // namespace sagejit
