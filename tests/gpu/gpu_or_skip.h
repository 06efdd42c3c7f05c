// Tests that need a GPU end as skipped, with the reason, where there is none.
#pragma once

#include <cstdio>
#include <cstdlib>

#include "sagejit/sagejit.h"

namespace sagejit::test {

[[noreturn]] inline void skip(const char* reason) {
    constexpr int kSkipped = 77;  // CTest's SKIP_RETURN_CODE
    std::printf("skipped: %s\n", reason);
    std::fflush(stdout);
    std::_Exit(kSkipped);
}

// The first GPU.
inline Device gpu_or_skip() {
    try {
        return Device::cuda(0);
    } catch (const Error& error) {
        skip(error.what());
    }
}

}  // namespace sagejit::test
