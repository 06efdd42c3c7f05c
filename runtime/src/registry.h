// Making each kernel once and remembering it. The public half is sagejit/registry.h.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "sagejit/registry.h"

namespace sagejit {

// Returns the kernel that was prepared for this spec on this GPU with options of the same outcome,
// or calls make and remembers what it returns. Threads that want the same at the same time share
// one call. `make` gets the options to prepare with, whose stop token is that of the shared call.
using MakeKernel = std::function<Kernel(const PrepareOptions& options)>;
Kernel prepare_shared(const Spec& spec, const Device& device, const PrepareOptions& options,
                      const MakeKernel& make);

// Everything that is prepared now.
std::vector<std::pair<Spec, Device>> prepared_kernels();

}  // namespace sagejit
