// Runs independent pieces of host work on every core.
#pragma once

#include <cstdint>
#include <functional>

namespace sagejit {

// Calls body(0) .. body(count - 1), each once, in no particular order, on as many threads as the
// machine has cores; returns when all are done. If a call throws, no new ones start and the first
// exception is thrown again here.
void parallel_for(int64_t count, const std::function<void(int64_t)>& body);

}  // namespace sagejit
