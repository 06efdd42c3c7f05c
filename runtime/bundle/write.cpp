#include "bundle/write.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>

#include "bundle/layout.h"
#include "bundle/manifest.h"
#include "sagejit/generator/error.h"

namespace sagejit {
namespace {

void check_size(const char* what, uint64_t bytes, uint64_t most) {
    if (bytes <= most) return;
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("{} of {} bytes is more than the {} that a bundle holds", what, bytes, most),
        "bundle", "build several bundles with fewer kernels each");
}

}  // namespace

std::vector<uint8_t> encode_bundle(const std::string& generator, const std::string& nvrtc,
                                   const std::vector<BuiltKernel>& kernels) {
    Manifest manifest{generator, nvrtc, {}, {}};
    std::vector<const std::vector<uint8_t>*> cubins;
    std::map<std::string, size_t> known;
    for (const BuiltKernel& built : kernels) {
        check_size("a cubin", built.cubin.size(), kMaxCubinBytes);
        const std::string sum = to_hex(checksum({built.cubin}));
        const auto [place, is_new] = known.emplace(sum, cubins.size());
        if (is_new) {
            manifest.cubins.push_back({built.cubin.size(), sum});
            cubins.push_back(&built.cubin);
        }
        manifest.kernels.push_back(built.kernel);
        manifest.kernels.back().cubin = place->second;
        manifest.kernels.back().cubin_bytes = built.cubin.size();
    }
    const std::string text = print_manifest(manifest);
    check_size("a manifest", text.size(), kMaxManifestBytes);

    uint64_t size = sizeof(BundleHeader) + text.size();
    for (const auto* cubin : cubins) size = align_cubin(size) + cubin->size();
    std::vector<uint8_t> bytes =
        encode_head(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()), size);
    bytes.reserve(size);
    for (const auto* cubin : cubins) {
        bytes.resize(align_cubin(bytes.size()));
        bytes.insert(bytes.end(), cubin->begin(), cubin->end());
    }
    return bytes;
}

}  // namespace sagejit
