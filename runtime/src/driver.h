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
    size_t l2_bytes = 0;
    std::string pci_bus_id;  // "0000:17:00.0", by which NVML knows it
};

// GPUs below this number are found again without a lock.
inline constexpr int kQuickOrdinals = 64;

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

// Bytes of its memory that nobody holds now. Throws as gpu_info does.
size_t gpu_free_memory(int ordinal);

}  // namespace sagejit
