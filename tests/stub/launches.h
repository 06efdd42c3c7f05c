// Kernels that were launched.
#pragma once

#include "stub_driver.h"

namespace sagejit::stub {

// Keeps a launch for the test to read, and writes it to the trace file.
void note_launch(const Launch& launch);

}  // namespace sagejit::stub
