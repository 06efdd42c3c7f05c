// Skipping where NVRTC is missing.
#pragma once

#include <cstdio>
#include <cstdlib>

#include "nvrtc_library.h"
#include "sagejit/generator/error.h"

namespace sagejit::test {

constexpr int kSkipped = 77;  // CTest's SKIP_RETURN_CODE

// Ends the test as skipped, with the reason, where there is no NVRTC.
inline void need_nvrtc() {
    try {
        probe_nvrtc();
    } catch (const Error& error) {
        std::printf("skipped: %s\n", error.what());
        std::fflush(stdout);
        std::_Exit(kSkipped);
    }
}

}  // namespace sagejit::test
