// Device memory, which is the host's.
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "entry.h"
#include "state.h"

namespace sagejit::stub {
namespace {

constexpr size_t kAlignment = 512;
constexpr size_t kDeviceBytes = size_t{80} << 30;

// The allocation that holds all of these bytes.
const Allocation* find_allocation(CUdeviceptr pointer, size_t bytes) {
    auto after = state().allocations.upper_bound(pointer);
    if (after == state().allocations.begin()) return nullptr;
    const auto& [start, allocation] = *std::prev(after);
    const size_t offset = pointer - start;
    return offset <= allocation.bytes && bytes <= allocation.bytes - offset ? &allocation : nullptr;
}

CUresult allocate(CUdeviceptr* pointer, size_t bytes, int device) {
    if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    if (bytes > kDeviceBytes) return CUDA_ERROR_OUT_OF_MEMORY;
    const size_t whole = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    void* block = std::aligned_alloc(kAlignment, whole);
    if (block == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
    *pointer = reinterpret_cast<CUdeviceptr>(block);
    state().allocations[*pointer] = {bytes, device, block};
    return CUDA_SUCCESS;
}

CUresult release(CUdeviceptr pointer) {
    const auto found = state().allocations.find(pointer);
    if (found == state().allocations.end()) return CUDA_ERROR_INVALID_VALUE;
    std::free(found->second.block);
    state().allocations.erase(found);
    return CUDA_SUCCESS;
}

// A copy or a fill on the legacy stream.
template <typename Action>
CUresult touch(CUdeviceptr pointer, size_t bytes, Action action) {
    const std::lock_guard lock(state().mutex);
    if (context_stack().top() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (const CUresult refused = refuse_during_capture()) return refused;
    if (find_allocation(pointer, bytes) == nullptr) return CUDA_ERROR_INVALID_VALUE;
    action(reinterpret_cast<void*>(pointer));
    return CUDA_SUCCESS;
}

}  // namespace

CUresult mem_alloc(CUdeviceptr* pointer, size_t bytes) {
    const std::lock_guard lock(state().mutex);
    const Context* context = context_stack().top();
    if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (const CUresult refused = refuse_during_capture()) return refused;
    return allocate(pointer, bytes, context->device);
}

CUresult mem_free(CUdeviceptr pointer) {
    const std::lock_guard lock(state().mutex);
    if (context_stack().top() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (const CUresult refused = refuse_during_capture()) return refused;
    return pointer == 0 ? CUDA_SUCCESS : release(pointer);
}

// In stream order, which is the order of the calls, as kernels are over as soon as launched.
CUresult mem_alloc_async(CUdeviceptr* pointer, size_t bytes, CUstream handle) {
    CUresult result = CUDA_SUCCESS;
    const Stream* stream = stream_of(handle, result);
    if (stream == nullptr) return result;
    const std::lock_guard lock(state().mutex);
    return allocate(pointer, bytes, stream->context->device);
}

CUresult mem_free_async(CUdeviceptr pointer, CUstream handle) {
    CUresult result = CUDA_SUCCESS;
    if (stream_of(handle, result) == nullptr) return result;
    const std::lock_guard lock(state().mutex);
    return release(pointer);
}

CUresult mem_get_info(size_t* free_bytes, size_t* total) {
    if (context_stack().top() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    *free_bytes = *total = kDeviceBytes;
    return CUDA_SUCCESS;
}

CUresult memcpy_htod(CUdeviceptr destination, const void* source, size_t bytes) {
    return touch(destination, bytes, [=](void* memory) { std::memcpy(memory, source, bytes); });
}

CUresult memcpy_dtoh(void* destination, CUdeviceptr source, size_t bytes) {
    return touch(source, bytes, [=](void* memory) { std::memcpy(destination, memory, bytes); });
}

CUresult memcpy_dtod(CUdeviceptr destination, CUdeviceptr source, size_t bytes) {
    {
        const std::lock_guard lock(state().mutex);
        if (find_allocation(source, bytes) == nullptr) return CUDA_ERROR_INVALID_VALUE;
    }
    return touch(destination, bytes, [=](void* memory) {
        std::memmove(memory, reinterpret_cast<const void*>(source), bytes);
    });
}

CUresult memset_d8(CUdeviceptr destination, unsigned char value, size_t bytes) {
    return touch(destination, bytes, [=](void* memory) { std::memset(memory, value, bytes); });
}

CUresult pointer_get_attribute(void* data, CUpointer_attribute attribute, CUdeviceptr pointer) {
    const std::lock_guard lock(state().mutex);
    const Allocation* allocation = find_allocation(pointer, 0);
    if (allocation == nullptr) return CUDA_ERROR_INVALID_VALUE;
    switch (attribute) {
        case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
            *static_cast<unsigned*>(data) = CU_MEMORYTYPE_DEVICE;
            return CUDA_SUCCESS;
        case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
            *static_cast<int*>(data) = allocation->device;
            return CUDA_SUCCESS;
        case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
            *static_cast<CUdeviceptr*>(data) = pointer;
            return CUDA_SUCCESS;
        case CU_POINTER_ATTRIBUTE_CONTEXT:
            *static_cast<CUcontext*>(data) =
                reinterpret_cast<CUcontext>(state().devices[allocation->device].primary);
            return CUDA_SUCCESS;
        default:
            return CUDA_ERROR_INVALID_VALUE;
    }
}

}  // namespace sagejit::stub
