#include "stream_memory.h"

#include <fmt/format.h>

#include "driver_api.h"

namespace sagejit {

bool is_capturing(const Device& device, void* stream) {
    if (device.is_host()) return false;
    const DriverApi& api = driver_api();
    const ScopedContext scope(api, primary_context(device.ordinal()));
    CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
    const CUresult result = api.stream_is_capturing(static_cast<CUstream>(stream), &status);
    // The legacy stream while another is captured: anything on it would end that capture.
    if (result == CUDA_ERROR_STREAM_CAPTURE_IMPLICIT) return true;
    api.check(result, "cuStreamIsCapturing", ErrorCode::kLaunchFailed, device.text());
    return status != CU_STREAM_CAPTURE_STATUS_NONE;
}

StreamMemory::StreamMemory(const Device& device, size_t bytes, void* stream)
    : device_(device), stream_(stream) {
    if (bytes == 0) return;
    if (device.is_host()) {
        host_.emplace(device, bytes);
        data_ = host_->data();
        return;
    }
    const DriverApi& api = driver_api();
    const ScopedContext scope(api, primary_context(device.ordinal()));
    CUdeviceptr pointer = 0;
    const CUresult result = api.mem_alloc_async(&pointer, bytes, static_cast<CUstream>(stream));
    if (result != CUDA_SUCCESS) {
        throw Error(ErrorCode::kLaunchFailed,
                    fmt::format("cuMemAllocAsync returned {} for {} bytes of workspace",
                                api.describe(result), bytes),
                    device.text(),
                    result == CUDA_ERROR_NOT_SUPPORTED
                        ? "this GPU has no memory pools: prepare the kernel, and launch it with a "
                          "workspace of your own"
                        : "");
    }
    data_ = reinterpret_cast<void*>(pointer);
}

// A failure has nobody to go to: a kernel before has faulted, and the next call will say so.
StreamMemory::~StreamMemory() {
    if (data_ == nullptr || host_ || driver_lost_by_fork()) return;
    try {
        const DriverApi& api = driver_api();
        const ScopedContext scope(api, primary_context(device_.ordinal()));
        api.mem_free_async(reinterpret_cast<CUdeviceptr>(data_), static_cast<CUstream>(stream_));
    } catch (const Error&) {
    }
}

}  // namespace sagejit
