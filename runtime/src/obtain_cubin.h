// A source's cubin, from the cache or from NVRTC.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "compile_cubin.h"
#include "sagejit/sagejit.h"

namespace sagejit {

struct ObtainedCubin {
    std::shared_ptr<const CompiledCubin> cubin;
    bool from_cache = false;  // no NVRTC run for this call
    double compile_ms = 0;    // in NVRTC, for this call
    NvrtcInfo nvrtc;          // what made it; not told where the policy forbids compiling
};

// Looks in the disk cache, then compiles and stores. NVRTC is opened to compile, and where the
// cache has no record of it that holds (known_nvrtc.h): its version is part of what is looked for.
// Threads that want the same cubin at the same time share one compilation and its error. A source
// NVRTC refused is refused again at once for the rest of the process; cubins the disk cannot take
// are kept in memory. With use_cache off every call compiles. Throws as compile_cubin does;
// Error(kNotBuilt) where the policy forbids compiling and it is not there.
ObtainedCubin obtain_cubin(const std::string& source, std::string_view generator,
                           std::string_view arch, const std::string& name,
                           const PrepareOptions& options);

}  // namespace sagejit
