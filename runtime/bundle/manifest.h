// The manifest of a bundle: docs/explanation/bundles.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sagejit/bundle.h"

namespace sagejit {

// One cubin of the file.
struct StoredCubin {
    uint64_t bytes = 0;
    std::string checksum;  // 32 hex digits

    bool operator==(const StoredCubin&) const = default;
};

struct Manifest {
    std::string generator;
    std::string nvrtc;
    std::vector<StoredCubin> cubins;
    std::vector<BundleKernel> kernels;

    bool operator==(const Manifest&) const = default;
};

// Takes nothing on trust. Throws Error(kInvalidInput) unless the text is JSON with exactly the
// members it should have, within their limits, and every kernel's cubin exists.
Manifest parse_manifest(std::string_view text, const std::string& origin);

// The text parse_manifest reads; the same manifest gives the same bytes.
std::string print_manifest(const Manifest& manifest);

}  // namespace sagejit
