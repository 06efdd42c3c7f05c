// The argument block of a call.
#pragma once

#include "call.h"
#include "sagejit/sagejit.h"

namespace sagejit {

// Fills the block every kernel of the call takes. The arguments have been checked; workspace is
// the caller's memory, laid out as `layout` says.
abi::Call make_call(const Arguments& arguments, const Shape& shape, const Workspace& layout,
                    void* workspace);

// make_call in two steps, for many calls of the same sizes: first what the sizes decide, then, for
// each call, the pointers and logit_scale.
abi::Call make_call_sizes(const Arguments& arguments, const Shape& shape, const Workspace& layout);
void set_call_values(abi::Call& call, const Arguments& arguments, const Workspace& layout,
                     void* workspace);

}  // namespace sagejit
