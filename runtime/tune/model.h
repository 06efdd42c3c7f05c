// How long a plan should take, from what it computes and what a GPU can do: for deciding which
// plans are worth measuring, and for saying what limits one.
#pragma once

#include <string_view>

#include "sagejit/generator/plan.h"
#include "sagejit/generator/workspace.h"

namespace sagejit {

// What one GPU does, per multiprocessor and clock unless said otherwise.
struct GpuRates {
    int multiprocessors = 0;
    double clock_ghz = 0;  // sustained under load
    // Multiply-adds of the tensor cores.
    double int8 = 0, half_fp32 = 0, half_fp16 = 0;  // operands, and the accumulator's type
    double exponentials = 16;
    double vector = 102;  // multiply-adds, additions of 32 bits; conversions and maxima take two
    double shared_bytes = 128;
    double cache_tb_per_s = 0, memory_tb_per_s = 0;  // of the whole GPU: L2, and a copy
    double launch_us = 2.5;                          // of one more kernel in a stream
};

// Of a GPU that runs code for the target. multiprocessors 0: those of the usual part, the one that
// the rates are of (sm_80 A100, sm_86 RTX 3090, sm_87 Orin, sm_89 RTX 4090, sm_90 H200, sm_100
// B200, sm_120 RTX 5090).
GpuRates rates_for(const Target& target, int multiprocessors = 0);

// What keeps a plan from being faster.
enum class Bound { kTensor, kExponential, kVector, kShared, kCache, kMemory, kLatency };
std::string_view to_string(Bound value);

struct Prediction {
    double whole_call_ms = 0, attention_ms = 0;
    // Time of the attention kernel if it did nothing else.
    double tensor_ms = 0, exponential_ms = 0, vector_ms = 0, shared_ms = 0, cache_ms = 0;
    double memory_ms = 0;   // reading the operands and writing the output once
    int ctas_per_sm = 0;    // resident
    double occupancy = 0;   // resident threads over those a multiprocessor can hold
    double waves = 0;       // CTAs over those resident at once
    double idle_share = 0;  // of the GPU, in the last wave
    Bound limit = Bound::kTensor;
};

// Throws what make_workspace throws.
Prediction predict(const Plan& plan, const Shape& shape, const GpuRates& rates);

}  // namespace sagejit
