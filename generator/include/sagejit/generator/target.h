// The GPU architectures the generator knows, and what each can hold.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sagejit {

// Which kernels a target runs. kMmaSync: warps of mma.sync, on every target. kWgmma: warpgroups
// (wgmma, tensor-map copies, mbarriers), for Hopper.
enum class Family { kMmaSync, kWgmma };
std::string_view to_string(Family value);

// Limits of one architecture. Bytes and counts per the CUDA C++ programming guide, "Compute
// Capabilities"; shared memory is the opt-in maximum.
struct Target {
    std::string_view name;  // "sm_89", also NVRTC's --gpu-architecture
    int arch;               // 89
    Family family;
    bool exact;                // its code runs on this very compute capability only ("sm_90a")
    int shared_per_cta;        // bytes a CTA may use
    int shared_per_sm;         // bytes an SM has
    int shared_reserved;       // bytes the system takes per CTA
    int registers_per_sm;      // 32-bit registers
    int registers_per_thread;  // at most
    int threads_per_sm;

    bool operator==(const Target& other) const { return name == other.name; }
};

// All targets, oldest first.
std::span<const Target> all_targets();

// The target of that name. Throws Error(kUnsupportedTarget) naming the known ones.
const Target& find_target(std::string_view name);

// The newest target whose code runs on a device of compute capability major.minor (exact, else
// same major with a lower minor), not counting those of a family of their own: see
// targets_for_device. Throws Error(kUnsupportedTarget).
const Target& target_for_device(int major, int minor);

// All targets worth trying on that device, the best first: what a device gets where a spec names
// none is the first of them that can hold it. Throws Error(kUnsupportedTarget) when there is none.
std::vector<const Target*> targets_for_device(int major, int minor);

// Used where neither the config nor the caller names one.
inline constexpr std::string_view kDefaultTarget = "sm_80";

}  // namespace sagejit
