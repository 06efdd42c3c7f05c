// Controls of the stub libcuda, for the tests that run against it.
//
// The stub is a shared library named libcuda.so.1 that the runtime opens as it opens the real one
// ($SAGEJIT_LIBCUDA or $LD_LIBRARY_PATH). It keeps devices, contexts, libraries, memory, streams
// and captures as the driver does and refuses what the driver refuses; kernels are recorded and
// not run. From the environment it takes, when it is initialised:
//
//   SAGEJIT_STUB_DEVICES         compute capabilities, "9.0,8.0"; none: no GPU. Default 9.0
//   CUDA_VISIBLE_DEVICES         as the driver reads it, numbers only
//   SAGEJIT_STUB_DRIVER_VERSION  12040 for CUDA 12.4. Default 13000
//   SAGEJIT_STUB_FAIL            "cuMemAlloc=2,cuLibraryLoadData=209": these calls return that
//   SAGEJIT_STUB_KILL            launches with that many bytes of shared memory kill the process
//   SAGEJIT_STUB_HANG            launches with that many bytes of shared memory never return
//   SAGEJIT_STUB_TRACE           a file that gets a line a launch: CLOCK_MONOTONIC ns, device,
//   entry
#pragma once

#include <cstddef>
#include <cstdint>

namespace sagejit::stub {

// The most of a kernel's parameters that is recorded.
inline constexpr size_t kMaxParameterBytes = 2048;

struct Launch {
    int device;          // ordinal as the process sees it
    const char* kernel;  // symbol
    unsigned grid[3], block[3];
    unsigned shared_bytes;
    unsigned attributes;     // launch attributes passed
    bool overlaps;           // one of them lets it begin before the launch before it has ended
    const void* stream;      // as passed
    bool captured;           // into a graph instead of run
    size_t parameter_bytes;  // as the cubin tells; 0 where it does not
    unsigned char parameter[kMaxParameterBytes];
};

struct Controls {
    // Forgets launches, counts and faults.
    void (*reset)();
    // Launches recorded since, the last 256 of them readable. false switches recording off, so
    // that a launch costs next to nothing.
    void (*record)(bool on);
    size_t (*launches)();
    bool (*launch)(size_t index, Launch* launch);
    // How often a function was called, by its name without version: "cuLaunchKernelEx".
    uint64_t (*calls)(const char* function);
    uint64_t (*all_calls)();
    // Lets a function fail: after `skip` good calls, `times` calls return `result`.
    void (*fail)(const char* function, int result, int skip, int times);
    // Gives the handle of the stream that was destroyed last out again, as a driver may.
    void (*reuse_streams)(bool on);
    size_t (*live_allocations)(int device);
    size_t (*live_bytes)(int device);
    size_t (*loaded_libraries)();
};

// The one symbol besides the driver's own: const Controls* sagejit_stub_driver().
using GetControls = const Controls* (*)();
inline constexpr const char* kGetControls = "sagejit_stub_driver";

}  // namespace sagejit::stub
