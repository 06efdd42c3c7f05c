// The driver under test: the stub in CI, the real one under the label gpu.
#pragma once

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "driver_api.h"
#include "stub/stub_driver.h"

namespace sagejit::test {

// The stub's controls; null where the driver is a real one.
inline const stub::Controls* stub_controls() {
    const char* path = std::getenv("SAGEJIT_LIBCUDA");
    if (path == nullptr) return nullptr;
    void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return nullptr;
    const auto get = reinterpret_cast<stub::GetControls>(dlsym(library, stub::kGetControls));
    return get != nullptr ? get() : nullptr;
}

inline constexpr int kSkipped = 77;  // CTest's SKIP_RETURN_CODE

[[noreturn]] inline void skip(const std::string& reason) {
    std::printf("skipped: %s\n", reason.c_str());
    std::fflush(stdout);
    std::_Exit(kSkipped);
}

// Ends the process as skipped where there are not as many GPUs.
inline void need_gpus(int count) {
    int found = 0;
    try {
        found = gpu_count();
    } catch (const Error& error) {
        skip(error.what());
    }
    if (found < count)
        skip("needs " + std::to_string(count) + " GPUs, has " + std::to_string(found));
}

// A driver function that the runtime does not use itself.
template <typename Function>
Function* driver_function(const char* name, Function*, int cuda_version = 12000) {
    static void* const library = [] {
        return dlopen(driver_api().info.path.c_str(), RTLD_NOW | RTLD_LOCAL);
    }();
    const auto get =
        reinterpret_cast<decltype(&::cuGetProcAddress)>(dlsym(library, "cuGetProcAddress_v2"));
    void* function = nullptr;
    if (get(name, &function, cuda_version, CU_GET_PROC_ADDRESS_LEGACY_STREAM, nullptr) !=
        CUDA_SUCCESS) {
        std::fprintf(stderr, "the driver has no %s\n", name);
        std::abort();
    }
    return reinterpret_cast<Function*>(function);
}
#define SAGEJIT_DRIVER_CALL(function) \
    ::sagejit::test::driver_function(#function, static_cast<decltype(&::function)>(nullptr))

// Makes a captured graph ready to launch on GPU 0. The driver wants a current context for it, which
// sagejit does not leave behind.
inline CUresult instantiate(CUgraphExec* exec, CUgraph graph) {
    const ScopedContext scope(driver_api(), primary_context(0));
    return SAGEJIT_DRIVER_CALL(cuGraphInstantiate)(exec, graph, 0);
}

}  // namespace sagejit::test
