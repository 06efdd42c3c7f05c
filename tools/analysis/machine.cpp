#include "analysis/machine.h"

#include <algorithm>
#include <array>
#include <string>

#include "sagejit/generator/error.h"

namespace sagejit::analysis {
namespace {

constexpr double kGiga = 1e9;
constexpr int kWarp = 32;
constexpr int kRegisterUnit = 256;  // registers of a warp are given out so many at a time
constexpr int kSharedUnit = 128;    // bytes

// On GeForce GPUs (sm_86, sm_89, sm_120) products accumulated in fp32 run at half the rate.
// mma.sync on Hopper: about five eighths of what wgmma reaches (Luo et al., arXiv 2402.13499).
// On Blackwell's sm_100 no figure for mma.sync is published; its share is a guess.
constexpr std::array kMachines = {
    Machine{"sm_80", "A100 SXM 80 GB", 108, 1.41, 2.04, 4096, 2048, 2048, 0, 16, 64, 32, 1},
    Machine{"sm_86", "GeForce RTX 3090", 82, 1.695, 0.936, 2048, 1024, 512, 0, 16, 128, 16, 1},
    Machine{"sm_87", "Jetson AGX Orin", 16, 1.3, 0.205, 4096, 2048, 2048, 0, 16, 128, 16, 1},
    Machine{"sm_89", "GeForce RTX 4090", 128, 2.52, 1.008, 2048, 1024, 512, 1024, 16, 128, 24, 1},
    Machine{"sm_90", "H200 SXM", 132, 1.83, 4.8, 8192, 4096, 4096, 8192, 16, 128, 32, 0.63},
    Machine{"sm_90a", "H200 SXM", 132, 1.83, 4.8, 8192, 4096, 4096, 8192, 16, 128, 32, 0.63},
    Machine{"sm_100", "B200", 148, 1.85, 8.0, 16384, 8192, 8192, 16384, 16, 128, 32, 0.25},
    Machine{"sm_120", "GeForce RTX 5090", 170, 2.41, 1.792, 2048, 1024, 512, 1024, 16, 128, 24, 1},
};

int round_up(int value, int unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

double Machine::operations_per_second(double per_clock) const {
    return per_clock * multiprocessors * clock_ghz * kGiga;
}

const Machine& machine_of(std::string_view target) {
    const auto found =
        std::find_if(kMachines.begin(), kMachines.end(),
                     [&](const Machine& machine) { return machine.target == target; });
    if (found != kMachines.end()) return *found;
    throw Error(ErrorCode::kUnsupportedTarget,
                "no rates are known for \"" + std::string(target) + "\"", "target",
                "rates are in tools/analysis/machine.cpp");
}

std::string_view to_string(OccupancyLimit limit) {
    switch (limit) {
        case OccupancyLimit::kShared:
            return "shared memory";
        case OccupancyLimit::kRegisters:
            return "registers";
        case OccupancyLimit::kThreads:
            return "threads";
        case OccupancyLimit::kCtas:
            return "CTAs";
    }
    return "unknown";
}

Occupancy occupancy(const Target& target, int threads, int registers, int shared_bytes) {
    Occupancy result;
    result.warps_limit = target.threads_per_sm / kWarp;
    if (threads <= 0) return result;
    const int warps = (threads + kWarp - 1) / kWarp;
    const int warp_registers = round_up(std::max(registers, 1) * kWarp, kRegisterUnit);
    const int shared = round_up(shared_bytes + target.shared_reserved, kSharedUnit);
    struct Bound {
        OccupancyLimit limit;
        int ctas;
    };
    const std::array bounds = {
        Bound{OccupancyLimit::kShared, target.shared_per_sm / shared},
        Bound{OccupancyLimit::kRegisters, target.registers_per_sm / warp_registers / warps},
        Bound{OccupancyLimit::kThreads, result.warps_limit / warps},
        Bound{OccupancyLimit::kCtas, machine_of(target.name).ctas},
    };
    const Bound& least =
        *std::min_element(bounds.begin(), bounds.end(),
                          [](const Bound& a, const Bound& b) { return a.ctas < b.ctas; });
    result.ctas = least.ctas;
    result.limit = least.limit;
    result.warps = result.ctas * warps;
    return result;
}

}  // namespace sagejit::analysis
