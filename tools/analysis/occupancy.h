// How many CTAs fit on a multiprocessor of a target.
#pragma once

#include <string_view>

#include "sagejit/generator/target.h"

namespace sagejit::analysis {

enum class OccupancyLimit { kShared, kRegisters, kThreads, kCtas };
std::string_view to_string(OccupancyLimit limit);

struct Occupancy {
    int ctas = 0;  // resident on one multiprocessor; 0: it does not fit at all
    int warps = 0;
    int warps_limit = 0;
    OccupancyLimit limit = OccupancyLimit::kCtas;

    double share() const { return warps_limit > 0 ? static_cast<double>(warps) / warps_limit : 0; }
};

// How many CTAs of so many threads, registers per thread and bytes of shared memory fit. Registers
// are given out to warps, 256 at a time.
Occupancy occupancy(const Target& target, int threads, int registers, int shared_bytes);

// The GPU whose rates estimates for a target take (runtime/tune/model.h).
std::string_view usual_gpu(const Target& target);

}  // namespace sagejit::analysis
