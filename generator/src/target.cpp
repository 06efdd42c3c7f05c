#include "sagejit/generator/target.h"

#include <array>

#include "sagejit/generator/error.h"

namespace sagejit {
namespace {

constexpr int kKiB = 1024;
constexpr int kRegisters = 65536;
constexpr int kRegistersPerThread = 255;

// name, arch, family, exact, shared per CTA, shared per SM, reserved, registers, per thread,
// threads per SM
constexpr std::array kTargets = {
    Target{"sm_80", 80, Family::kMmaSync, false, 163 * kKiB, 164 * kKiB, kKiB, kRegisters,
           kRegistersPerThread, 2048},
    Target{"sm_86", 86, Family::kMmaSync, false, 99 * kKiB, 100 * kKiB, kKiB, kRegisters,
           kRegistersPerThread, 1536},
    Target{"sm_87", 87, Family::kMmaSync, false, 163 * kKiB, 164 * kKiB, kKiB, kRegisters,
           kRegistersPerThread, 1536},
    Target{"sm_89", 89, Family::kMmaSync, false, 99 * kKiB, 100 * kKiB, kKiB, kRegisters,
           kRegistersPerThread, 1536},
    Target{"sm_90", 90, Family::kMmaSync, false, 227 * kKiB, 228 * kKiB, kKiB, kRegisters,
           kRegistersPerThread, 2048},
    Target{"sm_90a", 90, Family::kWgmma, true, 227 * kKiB, 228 * kKiB, kKiB, kRegisters,
           kRegistersPerThread, 2048},
    Target{"sm_100", 100, Family::kMmaSync, false, 227 * kKiB, 228 * kKiB, kKiB, kRegisters,
           kRegistersPerThread, 2048},
    Target{"sm_120", 120, Family::kMmaSync, false, 99 * kKiB, 100 * kKiB, kKiB, kRegisters,
           kRegistersPerThread, 1536},
};

std::string known_names() {
    std::string names;
    for (const Target& target : kTargets) {
        if (!names.empty()) names += ", ";
        names += target.name;
    }
    return names;
}

}  // namespace

std::span<const Target> all_targets() { return kTargets; }

const Target& find_target(std::string_view name) {
    for (const Target& target : kTargets) {
        if (target.name == name) return target;
    }
    throw Error(ErrorCode::kUnsupportedTarget, "unknown target \"" + std::string(name) + "\"",
                "target", "known targets: " + known_names());
}

const Target& target_for_device(int major, int minor) {
    const int arch = major * 10 + minor;
    const Target* best = nullptr;
    constexpr int kTegra = 87;  // shares code with no other
    for (const Target& target : kTargets) {
        if (target.exact || (target.arch == kTegra && arch != kTegra)) continue;
        if (target.arch / 10 == major && target.arch <= arch) best = &target;
    }
    if (best != nullptr) return *best;
    throw Error(ErrorCode::kUnsupportedTarget,
                "no target runs on compute capability " + std::to_string(major) + "." +
                    std::to_string(minor),
                "device", "known targets: " + known_names());
}

std::vector<const Target*> targets_for_device(int major, int minor) {
    std::vector<const Target*> targets;
    for (const Target& target : kTargets) {
        if (target.exact && target.arch == major * 10 + minor) targets.push_back(&target);
    }
    targets.push_back(&target_for_device(major, minor));
    return targets;
}

std::string_view to_string(Family value) {
    switch (value) {
        case Family::kMmaSync:
            return "mma_sync";
        case Family::kWgmma:
            return "wgmma";
    }
    return "unknown";
}

}  // namespace sagejit
