// Looking for a kernel in bundles.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sagejit/bundle.h"
#include "sagejit/generator/plan.h"
#include "tune/fit.h"

namespace sagejit {

struct FoundKernel {
    Plan plan;
    std::vector<std::string> entries;  // symbols in the cubin, in launch order
    std::vector<uint8_t> cubin;
    std::string origin;    // of its bundle
    std::string checksum;  // likewise
    size_t number = 0;     // of its cubin
    TuningMatch tuning = TuningMatch::kNone;
    std::string slow_code;  // slow_code.h
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

// The GPU that wants a kernel, and what for.
struct BundleQuery {
    const Spec& spec;
    const Plan* exact = nullptr;  // that plan; null: any
    int major = 0, minor = 0;     // compute capability
    TunedDevice device;           // to compare with what kernels were tuned on
    std::optional<Shape> shape;   // what it is mostly for
    bool use_tuning = true;
};

// Looks for the kernel that suits the GPU best: in the linked bundles, then in those given, and
// stops at the first bundle with any that runs there. A spec that names a target gets that one. Of
// several for one target the one tuned for the most like GPU and sizes is taken, else the first. A
// kernel that cannot be read or is not of this generator is passed over.
BundleSearch find_in_bundles(const BundleQuery& query, std::span<const Bundle> bundles);

}  // namespace sagejit
