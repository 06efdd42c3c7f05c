// Contexts, and each thread's stack of them.
#include "entry.h"
#include "state.h"

namespace sagejit::stub {
namespace {

Context* make_context(int device) {
    auto* context = new Context;
    context->device = device;
    context->legacy.context = context;
    return context;
}

CUcontext handle_of(Context* context) { return reinterpret_cast<CUcontext>(context); }

bool is_device(CUdevice device) {
    return device >= 0 && device < static_cast<int>(state().devices.size());
}

}  // namespace

CUresult primary_retain(CUcontext* context, CUdevice device) {
    if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    const std::lock_guard lock(state().mutex);
    DeviceState& found = state().devices[device];
    if (found.primary == nullptr) found.primary = make_context(device);
    ++found.primary_references;
    *context = handle_of(found.primary);
    return CUDA_SUCCESS;
}

CUresult primary_release(CUdevice device) {
    if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    const std::lock_guard lock(state().mutex);
    DeviceState& found = state().devices[device];
    if (found.primary_references == 0) return CUDA_ERROR_INVALID_CONTEXT;
    if (--found.primary_references == 0) {
        found.primary->magic = 0;
        found.primary = nullptr;
    }
    return CUDA_SUCCESS;
}

CUresult primary_reset(CUdevice device) {
    if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    const std::lock_guard lock(state().mutex);
    DeviceState& found = state().devices[device];
    if (found.primary != nullptr) found.primary->magic = 0;
    found.primary = nullptr;
    found.primary_references = 0;
    return CUDA_SUCCESS;
}

CUresult primary_get_state(CUdevice device, unsigned* flags, int* active) {
    if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    const std::lock_guard lock(state().mutex);
    *flags = 0;
    *active = state().devices[device].primary != nullptr ? 1 : 0;
    return CUDA_SUCCESS;
}

CUresult ctx_create(CUcontext* context, unsigned, CUdevice device) {
    if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    *context = handle_of(make_context(device));
    return ctx_push_current(*context);
}

CUresult ctx_destroy(CUcontext handle) {
    auto* context = object_of<Context>(handle);
    if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    context->magic = 0;
    ContextStack& stack = context_stack();
    if (stack.top() == context) --stack.size;
    return CUDA_SUCCESS;
}

CUresult ctx_get_current(CUcontext* context) {
    *context = handle_of(context_stack().top());
    return CUDA_SUCCESS;
}

CUresult ctx_set_current(CUcontext handle) {
    ContextStack& stack = context_stack();
    if (handle == nullptr) {
        if (stack.size > 0) --stack.size;
        return CUDA_SUCCESS;
    }
    auto* context = object_of<Context>(handle);
    if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (stack.size == 0) stack.size = 1;
    stack.contexts[stack.size - 1] = context;
    return CUDA_SUCCESS;
}

CUresult ctx_push_current(CUcontext handle) {
    auto* context = object_of<Context>(handle);
    ContextStack& stack = context_stack();
    if (context == nullptr || stack.size == ContextStack::kDepth) return CUDA_ERROR_INVALID_CONTEXT;
    stack.contexts[stack.size++] = context;
    return CUDA_SUCCESS;
}

CUresult ctx_pop_current(CUcontext* context) {
    ContextStack& stack = context_stack();
    if (stack.size == 0) return CUDA_ERROR_INVALID_CONTEXT;
    if (context != nullptr) *context = handle_of(stack.top());
    --stack.size;
    return CUDA_SUCCESS;
}

CUresult ctx_get_device(CUdevice* device) {
    const Context* context = context_stack().top();
    if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    *device = context->device;
    return CUDA_SUCCESS;
}

CUresult ctx_synchronize() {
    if (context_stack().top() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    const std::lock_guard lock(state().mutex);
    return refuse_during_capture();
}

}  // namespace sagejit::stub
