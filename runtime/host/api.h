// The functions the host device offers to kernels (templates/host/api.cuh).
#pragma once

#include "call.h"

namespace sagejit::host {

extern const abi::HostApi host_api;

// Raises the word at an address to at least value (atomic_max.cpp). Of all memory accesses of the
// host device this one alone is instrumented by ThreadSanitizer, which must see it as atomic.
void atomic_max(abi::u32* word, abi::u32 value);

}  // namespace sagejit::host
