// Measuring one kernel on one shape.
#pragma once

#include <optional>

#include "bench/call_sets.h"
#include "bench/gpu_monitor.h"
#include "bench/timing.h"

namespace sagejit {

struct BenchResult {
    size_t workspace_bytes = 0;
    // The last launch of a call, on operands quantized before; and all launches of a call.
    Timing attention, whole_call;
    // The same, one launch a sample; only where the samples above hold several.
    std::optional<Timing> attention_single, whole_call_single;
    bool outputs_finite = false;  // of a whole call after the measurement, into poisoned outputs
    std::optional<GpuReadings> gpu;
};

// Measures on operands whose shape and types are the kernel's. Throws what launching throws.
BenchResult bench_kernel(const Kernel& kernel, OperandSets& operands, const Shape& shape,
                         const Stream& stream, GpuMonitor& monitor, const TimingOptions& options);

// Bytes of the GPU's L2 cache; 0 for the host device.
size_t cache_bytes(const Device& device);
// Bytes a program may allocate there now.
size_t free_memory(const Device& device);

}  // namespace sagejit
