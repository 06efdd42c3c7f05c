// The GPU architectures the generator knows, and what each can hold.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sagejit {

// Limits of one architecture. Bytes and counts per the CUDA C++ programming guide, "Compute
// Capabilities"; shared memory is the opt-in maximum.
struct Target {
    std::string_view name;     // "sm_89", also NVRTC's --gpu-architecture
    int arch;                  // 89
    int shared_per_cta;        // bytes a CTA may use
    int shared_per_sm;         // bytes an SM has
    int shared_reserved;       // bytes the system takes per CTA
    int registers_per_sm;      // 32-bit registers
    int registers_per_thread;  // at most
    int threads_per_sm;

    bool operator==(const Target& other) const { return arch == other.arch; }
};

// All targets, oldest first.
std::span<const Target> all_targets();

// The target of that name. Throws Error(kUnsupportedTarget) naming the known ones.
const Target& find_target(std::string_view name);

// The newest target whose cubin or JIT code runs on a device of compute capability major.minor
// (exact, else same major with a lower minor). Throws Error(kUnsupportedTarget).
const Target& target_for_device(int major, int minor);

// Used where neither the config nor the caller names one.
inline constexpr std::string_view kDefaultTarget = "sm_80";

}  // namespace sagejit
