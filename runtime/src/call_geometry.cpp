#include "call_geometry.h"

#include <cmath>

#include "arguments.h"
#include "launch.h"
#include "value_map.h"

namespace sagejit {
namespace {

uintptr_t number(const void* address) { return reinterpret_cast<uintptr_t>(address); }

}  // namespace

// Without branches: the answer is nearly always none. Called four times rather than copied.
[[gnu::hot, gnu::noinline]] int64_t CallGeometry::differences(const TensorRef& tensor,
                                                              const Layout& layout) {
    int64_t bits = static_cast<int64_t>(tensor.dtype) ^ static_cast<int64_t>(layout.dtype);
    for (int axis = 0; axis < 4; ++axis) {
        bits |= tensor.shape[axis] ^ layout.shape[axis];
        bits |= tensor.strides[axis] ^ layout.strides[axis];
    }
    return bits;
}

void CallGeometry::work_out(const Plan& plan, const Executor& executor,
                            const Arguments& arguments) {
    layouts_ = {};  // until all is there
    values_ = {};
    shape_ = shape_of(arguments);
    check_layouts(plan, arguments);
    workspace_ = make_workspace(plan, shape_);
    workspace_bytes_ = workspace_.bytes;
    steps_ = launch_steps(plan, shape_, workspace_);
    step_count_ = static_cast<uint32_t>(steps_.size());
    for (size_t i = 0; i < step_count_; ++i) ready_[i] = executor.make_ready(steps_.data()[i]);
    call_ = make_call_sizes(arguments, shape_, workspace_);
    reads_values_by_map_ = step_count_ > 0 && set_value_path(plan, call_);
    mapped_values_ = nullptr;
    has_lse_ = plan.spec.lse;
    int i = 0;
    for (const TensorRef* tensor : {&arguments.q, &arguments.k, &arguments.v, &arguments.o}) {
        layouts_[i++] = {tensor->shape, tensor->strides, tensor->dtype};
    }
}

inline bool CallGeometry::takes(const Arguments& arguments, const void* workspace,
                                size_t workspace_bytes) const {
    const auto& [q, k, v, o, lse, logit_scale] = arguments;
    const bool none_null = q.data != nullptr && k.data != nullptr && v.data != nullptr &&
                           o.data != nullptr && workspace != nullptr;
    const uintptr_t misaligned =
        ((number(q.data) | number(k.data) | number(v.data) | number(o.data)) & 1) |
        (number(lse) & 3) | (number(workspace) & 255);
    return none_null && misaligned == 0 && (lse != nullptr) == has_lse_ &&
           std::isfinite(logit_scale) && workspace_bytes >= workspace_bytes_;
}

[[gnu::hot]] void CallGeometry::set_values(const Plan& plan, const Executor& executor,
                                           const Arguments& arguments, void* workspace,
                                           size_t workspace_bytes) {
    if (!takes(arguments, workspace, workspace_bytes)) [[unlikely]] {
        check_values(plan, arguments, shape_);
        check_workspace(workspace, workspace_bytes, workspace_bytes_);
    }
    const bool is_placed =
        values_.logit_scale <= UINT32_MAX && values_.workspace == number(workspace);
    values_ = {};  // until all is there
    if (!is_placed) set_workspace(call_, workspace_, workspace);
    set_call_values(call_, arguments);
    if (reads_values_by_map_ && mapped_values_ != arguments.v.data) {
        mapped_values_ = nullptr;
        add_value_map(plan, arguments, executor, call_);
        mapped_values_ = arguments.v.data;
    }
    const auto& [q, k, v, o, lse, logit_scale] = arguments;
    values_ = {number(q.data),
               number(k.data),
               number(v.data),
               number(o.data),
               number(lse),
               number(workspace),
               std::bit_cast<uint32_t>(logit_scale)};
}

}  // namespace sagejit
