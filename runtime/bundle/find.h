// Looking for a kernel in bundles.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sagejit/bundle.h"
#include "sagejit/generator/plan.h"

namespace sagejit {

struct FoundKernel {
    Plan plan;
    std::vector<std::string> entries;  // symbols in the cubin, in launch order
    std::vector<uint8_t> cubin;
    std::string origin;  // of its bundle
};

// One bundle without the kernel.
struct PassedBundle {
    std::string origin;
    std::string reason;   // why, and what it holds
    bool is_bad = false;  // damaged, or of another generator: not merely without this kernel
};

struct BundleSearch {
    std::optional<FoundKernel> found;
    std::vector<PassedBundle> passed;

    // "\n  origin: reason" for each that was passed over.
    std::string text() const;
};

// Looks for the kernel that suits a GPU of compute capability major.minor best: in the linked
// bundles, then in those given, and stops at the first bundle with any that runs there. A spec that
// names a target gets that one, and `exact`, unless it is null, exactly that plan. A kernel that
// cannot be read or is not of this generator is passed over.
BundleSearch find_in_bundles(const Spec& spec, const Plan* exact, int major, int minor,
                             std::span<const Bundle> bundles);

}  // namespace sagejit
