// Where a pointer points.
#pragma once

#include "sagejit/sagejit.h"

namespace sagejit {

// The GPU whose memory it is (of managed memory: where it was allocated), else the host. Without a
// usable driver there is no memory but the host's. Throws Error(kNoDriver) in a process forked
// after CUDA was initialised, and Error(kLaunchFailed) when the driver has failed.
Device location_of(const void* pointer);

}  // namespace sagejit
