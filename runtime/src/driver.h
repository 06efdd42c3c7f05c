// The CUDA driver and its GPUs, without <cuda.h>; see driver_api.h for the calls.
#pragma once

#include <cstddef>
#include <string>

namespace sagejit {

struct DriverInfo {
    std::string path;  // of libcuda
    int version = 0;   // the newest CUDA it speaks: 1000 * major + 10 * minor

    std::string version_text() const;  // "13.0"
};

struct GpuInfo {
    std::string name;          // "NVIDIA H200"
    int major = 0, minor = 0;  // compute capability
    size_t memory_bytes = 0;   // in all
    int multiprocessors = 0;
};

// Opens and initialises the driver: $SAGEJIT_LIBCUDA where it is set, else libcuda.so.1 by the
// loader. Throws Error(kNoDriver) listing the places searched, or with the driver's own words;
// Error(kNoDevice) when it sees no GPU. Nothing is remembered; driver_api() is the process-wide
// one.
DriverInfo probe_driver();

// How many GPUs there are. Throws as probe_driver does.
int gpu_count();

// The GPU of that number. Throws as probe_driver does, and Error(kNoDevice) when there are not as
// many. Asks the driver once for each GPU.
const GpuInfo& gpu_info(int ordinal);

}  // namespace sagejit
