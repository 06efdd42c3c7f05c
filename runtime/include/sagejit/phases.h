// Part of a call, for programs that time one. Others want Kernel::launch.
#pragma once

#include <cstddef>

#include "sagejit/sagejit.h"

namespace sagejit {

// The launches of a call fall into two parts. Attention is the last launch, whatever it is called
// and whatever it does besides (a plan may quantize Q inside it); operand preparation is all
// before it, and may be nothing.
enum class Phase { kWholeCall, kAttention };

// Launches a part of a call.
class KernelPhases {
  public:
    // As Kernel::launch, for one part of the call only. kAttention reads what operand preparation
    // left in `workspace`: it is right only after a whole call with the same plan, arguments and
    // workspace, and may be repeated, since attention does not change its operands.
    static void launch(const Kernel& kernel, Phase phase, const Arguments& arguments,
                       void* workspace, size_t workspace_bytes, void* stream = nullptr);
};

}  // namespace sagejit
