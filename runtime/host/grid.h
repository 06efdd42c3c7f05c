// Launches on the host device.
#pragma once

#include <cstdint>

#include "call.h"

namespace sagejit::host {

// A kernel entry of a loaded host text.
using KernelFunction = void (*)(abi::Call);

// Executes `ctas` CTAs of `threads` threads (a multiple of 32), in clusters of `cluster`, on the
// cores of this machine; returns when all have exited. seed randomises the order of threads and the
// completion of asynchronous copies; 0 is the plain order. The schedule within a CTA depends on
// nothing else. Throws Error(kLaunchFailed) for a geometry no GPU would take and for the fault of
// the first CTA that has one: divergence, a barrier not all threads reach, a bad shared address.
void run_grid(KernelFunction kernel, const abi::Call& call, int64_t ctas, int threads,
              int shared_bytes, uint64_t seed, int cluster = 1);

}  // namespace sagejit::host
