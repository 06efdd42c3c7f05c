// Checking a call before anything of it is launched.
#pragma once

#include <cstddef>

#include "sagejit/sagejit.h"

namespace sagejit {

// Each throws Error(kInvalidArgument), naming the argument, what was expected and what was given,
// unless the kernels of this plan can run on these arguments.

// Types, head dimensions, strides: all that many calls have in common.
void check_layouts(const Plan& plan, const Arguments& arguments);

// What may differ from call to call: pointers and their alignment, lse where and only where the
// spec asks for it, a finite logit_scale. shape: from shape_of(arguments).
void check_values(const Plan& plan, const Arguments& arguments, const Shape& shape);

// The same for the workspace: `needed` bytes, aligned to 256.
void check_workspace(const void* workspace, size_t bytes, size_t needed);

}  // namespace sagejit
