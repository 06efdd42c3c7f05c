#include "call_geometry.h"

#include <cmath>

#include "arguments.h"
#include "launch.h"
#include "value_map.h"

namespace sagejit {

void CallGeometry::work_out(const Arguments& arguments) {
    tensors_ = {};  // until all is there
    logit_scale_ = UINT64_MAX;
    set_stream(nullptr);
    shape_ = shape_of(arguments);
    check_layouts(plan_, arguments);
    workspace_ = make_workspace(plan_, shape_, executor_.multiprocessors());
    workspace_bytes_ = workspace_.bytes;
    steps_ = launch_steps(plan_, shape_, workspace_);
    step_count_ = static_cast<uint32_t>(steps_.size());
    for (size_t i = 0; i < step_count_; ++i) {
        ready_[i] = executor_.make_ready(steps_.data()[i], /*is_first=*/i == 0);
    }
    call_ = make_call_sizes(arguments, shape_, workspace_);
    reads_values_by_map_ = step_count_ > 0 && set_value_path(plan_, call_);
    mapped_values_ = nullptr;
    has_lse_ = plan_.spec.lse;
    int i = 0;
    for (const TensorRef* tensor : {&arguments.q, &arguments.k, &arguments.v, &arguments.o}) {
        Tensor& last = tensors_[i++];
        last.dtype = static_cast<int64_t>(tensor->dtype);
        std::memcpy(last.sizes.data(), &tensor->shape, sizeof last.sizes);
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

void CallGeometry::set_stream(void* stream) {
    stream_ = number(stream);
    for (ReadyStep& step : steps()) step.config.hStream = static_cast<CUstream>(stream);
    asks_first_ = gpu_.api == nullptr || !names_context(stream);
}

[[gnu::hot]] void CallGeometry::change(bool sizes, const Arguments& arguments, void* workspace,
                                       size_t workspace_bytes, void* stream) {
    if (sizes) [[unlikely]]
        work_out(arguments);
    if (!takes(arguments, workspace, workspace_bytes)) [[unlikely]] {
        check_values(plan_, arguments, shape_);
        check_workspace(workspace, workspace_bytes, workspace_bytes_);
    }
    const bool is_placed = logit_scale_ <= UINT32_MAX && placed_at_ == number(workspace);
    logit_scale_ = UINT64_MAX;  // until all is there
    if (!is_placed) set_workspace(call_, workspace_, workspace);
    set_call_values(call_, arguments);
    if (reads_values_by_map_ && mapped_values_ != arguments.v.data) {
        mapped_values_ = nullptr;
        add_value_map(plan_, arguments, executor_, call_);
        mapped_values_ = arguments.v.data;
    }
    const auto& [q, k, v, o, lse, logit_scale] = arguments;
    tensors_[0].data = number(q.data);
    tensors_[1].data = number(k.data);
    tensors_[2].data = number(v.data);
    tensors_[3].data = number(o.data);
    lse_ = number(lse);
    placed_at_ = number(workspace);
    if (stream_ != number(stream)) set_stream(stream);
    logit_scale_ = std::bit_cast<uint32_t>(logit_scale);
}

void CallGeometry::launch_attention() {
    if (step_count_ == 0) return;
    ReadyStep attention = steps().back();
    attention.config.numAttrs = 0;  // the step before is not of this call
    launch({&attention, 1});
}

namespace {

// Refusals that may be for the context that is current and the one that a handle belongs to. None
// of them comes of work that was enqueued, by this call or another before.
bool is_of_contexts(CUresult result) {
    switch (result) {
        case CUDA_ERROR_INVALID_CONTEXT:
        case CUDA_ERROR_INVALID_HANDLE:
        case CUDA_ERROR_CONTEXT_IS_DESTROYED:
        case CUDA_ERROR_NOT_INITIALIZED:  // after a fork
        case CUDA_ERROR_DEINITIALIZED:
            return true;
        default:
            return false;
    }
}

}  // namespace

void CallGeometry::launch_refused(std::span<const ReadyStep> steps, const Refusal& refusal) {
    const bool may_try_again = refusal.step == steps.data() && is_of_contexts(refusal.result) &&
                               !is_current(*gpu_.api, gpu_.context);
    if (!may_try_again) return executor_.throw_refused(*refusal.step, refusal.result);
    launch_elsewhere(steps);
}

void CallGeometry::launch_elsewhere(std::span<const ReadyStep> steps) {
    if (steps.empty()) return;
    if (gpu_.api == nullptr) return executor_.run(steps, call_);
    const PushedContext scope(*gpu_.api, gpu_.context);
    const Refusal refusal = enqueue(steps);
    if (refusal.step != nullptr) executor_.throw_refused(*refusal.step, refusal.result);
}

}  // namespace sagejit
