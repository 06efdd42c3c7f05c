// What this machine offers sagejit, and what to do about what is missing: `sagejit doctor`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sagejit {

// Why something cannot be used, and the remedy. Both empty where it can.
struct Finding {
    std::string problem;  // one sentence; may be followed by the places searched, one a line
    std::string fix;

    bool ok() const { return problem.empty(); }
};

struct DriverDiagnosis {
    Finding finding;
    std::string path;     // of libcuda
    std::string version;  // the newest CUDA it speaks, "13.0"
};

struct GpuDiagnosis {
    Finding finding;     // not ok where no target runs on it
    std::string device;  // "cuda:0"
    std::string name;
    std::string compute_capability;  // "9.0"
    std::string target;              // "sm_90"
    size_t memory_bytes = 0;
    int multiprocessors = 0;
};

struct NvrtcDiagnosis {
    Finding finding;
    std::string path;
    std::string builtins_path;  // empty: left to NVRTC's own search
    std::string version;        // "13.0.88"
};

struct CacheDiagnosis {
    Finding finding;  // not ok where compiled kernels are not kept
    std::string directory;
    bool writable = false;
    uint64_t entries = 0;
    uint64_t bytes = 0;
};

struct HostCompilerDiagnosis {
    Finding finding;
    std::string path;
    std::string version;
};

struct Diagnostics {
    DriverDiagnosis driver;
    std::vector<GpuDiagnosis> gpus;
    NvrtcDiagnosis nvrtc;
    CacheDiagnosis cache;
    HostCompilerDiagnosis host_compiler;

    // Whether kernels can be prepared and run on a GPU, and on the host device.
    bool can_run_on_gpu() const;
    bool can_run_on_host() const { return host_compiler.finding.ok(); }
};

// Tries everything out; takes up to a second. Creates the cache directory. Throws nothing.
Diagnostics diagnose();

}  // namespace sagejit
