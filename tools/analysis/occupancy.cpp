#include "analysis/occupancy.h"

#include <algorithm>
#include <array>

namespace sagejit::analysis {
namespace {

constexpr int kWarp = 32;
constexpr int kRegisterUnit = 256;  // registers of a warp are given out so many at a time
constexpr int kSharedUnit = 128;    // bytes

struct Architecture {
    int arch;
    int ctas;  // resident on a multiprocessor, at most (CUDA C++ programming guide)
    std::string_view gpu;
};
constexpr std::array kArchitectures = {
    Architecture{80, 32, "A100"},
    Architecture{86, 16, "GeForce RTX 3090"},
    Architecture{87, 16, "Orin"},
    Architecture{89, 24, "GeForce RTX 4090"},
    Architecture{90, 32, "H200"},
    Architecture{100, 32, "B200"},
    Architecture{120, 24, "GeForce RTX 5090"},
};

const Architecture& architecture_of(const Target& target) {
    const auto found =
        std::find_if(kArchitectures.begin(), kArchitectures.end(),
                     [&](const Architecture& each) { return each.arch == target.arch; });
    return found != kArchitectures.end() ? *found : kArchitectures.front();
}

int round_up(int value, int unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

std::string_view usual_gpu(const Target& target) { return architecture_of(target).gpu; }

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
        Bound{OccupancyLimit::kCtas, architecture_of(target).ctas},
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
