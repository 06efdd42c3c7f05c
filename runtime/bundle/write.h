// Making a bundle's bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sagejit/bundle.h"

namespace sagejit {

// One kernel to be stored. The members `cubin` and `cubin_bytes` of `kernel` are filled in.
struct BuiltKernel {
    BundleKernel kernel;
    std::vector<uint8_t> cubin;
};

// A whole bundle; equal cubins are stored once. Same arguments, same bytes. Throws
// Error(kInvalidArgument) when the manifest or a cubin is larger than a bundle can hold.
std::vector<uint8_t> encode_bundle(const std::string& generator, const std::string& nvrtc,
                                   const std::vector<BuiltKernel>& kernels);

}  // namespace sagejit
