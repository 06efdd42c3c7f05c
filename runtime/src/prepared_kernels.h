// Kernels the process keeps once they are prepared, by spec and device.
#pragma once

#include <optional>

#include "sagejit/sagejit.h"

namespace sagejit {

// Nullopt where it has not been prepared by the next function.
std::optional<Kernel> find_prepared(const Spec& spec, const Device& device);

// Prepares it with the default options unless it is there. Threads that ask for one kernel at a
// time wait for one preparation; where it fails each tries again. Throws as prepare does.
Kernel find_or_prepare(const Spec& spec, const Device& device);

}  // namespace sagejit
