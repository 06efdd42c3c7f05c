// Small bundles whose cubins pass for cubins, for tests of the reader.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "bundle/layout.h"
#include "bundle/write.h"
#include "sagejit/bundle.h"

namespace sagejit {

// The smallest file that passes for a cubin: an ELF header with CUDA's machine and the architecture
// where ABI version 8 has it. `fill` makes it differ from others.
inline std::vector<uint8_t> fake_cubin_bytes(int arch, size_t bytes = 200, uint8_t fill = 0x5a) {
    std::vector<uint8_t> cubin(bytes, fill);
    std::fill_n(cubin.begin(), 64, uint8_t{0});
    const std::array<uint8_t, 9> ident = {0x7f, 'E', 'L', 'F', 2, 1, 1, 0x41, 8};
    std::copy(ident.begin(), ident.end(), cubin.begin());
    cubin[18] = 190;                         // e_machine
    cubin[49] = static_cast<uint8_t>(arch);  // second byte of e_flags
    return cubin;
}

inline BundleKernel fake_kernel(const std::string& name, const std::string& target) {
    BundleKernel kernel;
    kernel.name = name;
    kernel.asked = R"({"head_dim":64})";
    kernel.spec = R"({"head_dim":64,"tile":{"tile_q":128}})";
    kernel.target = target;
    kernel.plan = R"({"target":"x","attention":{"rescale_threshold_log2":8.0}})";
    kernel.source_hash = "0123456789abcdef0123456789abcdef";
    kernel.options = {"--gpu-architecture=" + target};
    kernel.entries = {{"quantize", 40, 0, 0, 0, 0}, {"attention", 168, 16, 4, 8, 1024}};
    if (name == "second") kernel.tuned = {{"A GPU", 132, "9.0", 16, 4096, 1}};
    return kernel;
}

// Three kernels, two cubins.
inline std::vector<uint8_t> fake_bundle() {
    return encode_bundle("0.1.0-test", "13.0.88",
                         {{fake_kernel("first", "sm_80"), fake_cubin_bytes(80)},
                          {fake_kernel("second", "sm_90a"), fake_cubin_bytes(90, 150)},
                          {fake_kernel("third", "sm_90a"), fake_cubin_bytes(90, 150)}});
}

inline Bundle open_in_memory(std::span<const uint8_t> bytes) {
    return Bundle::from_memory(std::as_bytes(bytes), "test");
}

// The same with another manifest, and sizes and checksum to match.
inline std::vector<uint8_t> with_manifest(const std::vector<uint8_t>& bundle,
                                          const std::string& manifest) {
    BundleHeader header;
    std::memcpy(&header, bundle.data(), sizeof header);
    const size_t data = align_cubin(sizeof header + header.manifest_bytes);
    const size_t new_data = align_cubin(sizeof header + manifest.size());
    std::vector<uint8_t> result =
        encode_head(std::span(reinterpret_cast<const uint8_t*>(manifest.data()), manifest.size()),
                    new_data + (bundle.size() - std::min(data, bundle.size())));
    result.resize(new_data);
    if (data < bundle.size()) result.insert(result.end(), bundle.begin() + data, bundle.end());
    return result;
}

inline std::string manifest_of(const std::vector<uint8_t>& bundle) {
    BundleHeader header;
    std::memcpy(&header, bundle.data(), sizeof header);
    return std::string(bundle.begin() + sizeof header,
                       bundle.begin() + sizeof header + header.manifest_bytes);
}

}  // namespace sagejit
