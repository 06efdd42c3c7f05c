// The argument block of a call.
#pragma once

#include "call.h"
#include "sagejit/sagejit.h"

namespace sagejit {

// Fills the block every kernel of the call takes. The arguments have been checked; workspace is
// the caller's memory, laid out as `layout` says.
abi::Call make_call(const Arguments& arguments, const Shape& shape, const Workspace& layout,
                    void* workspace);

// make_call in three steps, for many calls of the same sizes: what the sizes decide, with all
// pointers null; the pointers into the workspace; and, for each call, those to the tensors and
// logit_scale.
abi::Call make_call_sizes(const Arguments& arguments, const Shape& shape, const Workspace& layout);
void set_workspace(abi::Call& call, const Workspace& layout, void* workspace);
void set_call_values(abi::Call& call, const Arguments& arguments);

}  // namespace sagejit
