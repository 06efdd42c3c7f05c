// What a target can do in a clock, and how many CTAs fit on one of its multiprocessors.
#pragma once

#include <string_view>

#include "sagejit/generator/plan.h"

namespace sagejit::analysis {

// Rates of one multiprocessor per clock, dense: the CUDA C++ programming guide, "Throughput of
// Native Arithmetic Instructions", and for matrix products NVIDIA's figures for the GPU below.
// One multiply-add is two operations.
struct Machine {
    std::string_view target;
    std::string_view gpu;  // what the figures are for
    int multiprocessors;
    double clock_ghz;             // boost
    double memory_tb_s;           // of device memory
    double int8_operations;       // matrix products
    double fp16_operations;       // accumulated in fp16
    double fp16_fp32_operations;  // accumulated in fp32
    double fp8_operations;        // accumulated in fp32; 0: none
    double exponentials;          // MUFU
    double float_instructions;    // lanes: fp32 instructions
    int ctas;                     // resident, at most
    // The share of the matrix products' rate that mma.sync reaches: below 1 where the peak needs
    // the instructions of a warpgroup.
    double mma_sync_share;

    double operations_per_second(double per_clock) const;
};

// Throws Error(kUnsupportedTarget) for a target without figures.
const Machine& machine_of(std::string_view target);

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

}  // namespace sagejit::analysis
