#include "call_geometry.h"

#include "arguments.h"
#include "launch.h"
#include "value_map.h"

namespace sagejit {
namespace {

// Without branches: the answer is nearly always yes.
int64_t differences(const TensorRef& a, const TensorRef& b) {
    int64_t bits = static_cast<int64_t>(a.dtype) ^ static_cast<int64_t>(b.dtype);
    for (int axis = 0; axis < 4; ++axis) {
        bits |= a.shape[axis] ^ b.shape[axis];
        bits |= a.strides[axis] ^ b.strides[axis];
    }
    return bits;
}

}  // namespace

bool CallGeometry::fits(const Arguments& arguments) const {
    return known_ &&
           (differences(arguments.q, arguments_.q) | differences(arguments.k, arguments_.k) |
            differences(arguments.v, arguments_.v) | differences(arguments.o, arguments_.o)) == 0;
}

void CallGeometry::work_out(const Plan& plan, const Arguments& arguments) {
    known_ = false;
    shape_ = shape_of(arguments);
    check_layouts(plan, arguments);
    workspace_ = make_workspace(plan, shape_);
    steps_ = launch_steps(plan, shape_, workspace_);
    call_ = make_call_sizes(arguments, shape_, workspace_);
    arguments_ = arguments;
    mapped_values_.reset();
    known_ = true;
}

void CallGeometry::map_values(const Plan& plan, const Arguments& arguments,
                              const Executor& executor) {
    if (mapped_values_ == arguments.v.data) return;
    mapped_values_.reset();
    add_value_map(plan, arguments, executor, call_);
    mapped_values_ = arguments.v.data;
}

}  // namespace sagejit
