// The driver's entry points. Internal to the files that call them.
#pragma once

#include <cuda.h>

#include <atomic>
#include <optional>
#include <string>
#include <string_view>

#include "driver.h"
#include "sagejit/generator/error.h"

namespace sagejit {

// member of DriverApi, function; what launches call first, to be next to each other
#define SAGEJIT_DRIVER_FUNCTIONS(X)                        \
    X(ctx_get_current, cuCtxGetCurrent)                    \
    X(launch_kernel_ex, cuLaunchKernelEx)                  \
    X(init, cuInit)                                        \
    X(driver_get_version, cuDriverGetVersion)              \
    X(get_error_name, cuGetErrorName)                      \
    X(get_error_string, cuGetErrorString)                  \
    X(device_get_count, cuDeviceGetCount)                  \
    X(device_get, cuDeviceGet)                             \
    X(device_get_name, cuDeviceGetName)                    \
    X(device_get_attribute, cuDeviceGetAttribute)          \
    X(device_get_pci_bus_id, cuDeviceGetPCIBusId)          \
    X(device_total_mem, cuDeviceTotalMem)                  \
    X(device_primary_ctx_retain, cuDevicePrimaryCtxRetain) \
    X(ctx_push_current, cuCtxPushCurrent)                  \
    X(ctx_pop_current, cuCtxPopCurrent)                    \
    X(library_load_data, cuLibraryLoadData)                \
    X(library_unload, cuLibraryUnload)                     \
    X(library_get_kernel, cuLibraryGetKernel)              \
    X(kernel_get_function, cuKernelGetFunction)            \
    X(kernel_set_attribute, cuKernelSetAttribute)          \
    X(mem_alloc, cuMemAlloc)                               \
    X(mem_free, cuMemFree)                                 \
    X(mem_get_info, cuMemGetInfo)                          \
    X(memcpy_htod, cuMemcpyHtoD)                           \
    X(memcpy_dtoh, cuMemcpyDtoH)                           \
    X(memcpy_dtod, cuMemcpyDtoD)                           \
    X(memset_d8, cuMemsetD8)                               \
    X(mem_alloc_async, cuMemAllocAsync)                    \
    X(mem_free_async, cuMemFreeAsync)                      \
    X(pointer_get_attribute, cuPointerGetAttribute)        \
    X(stream_is_capturing, cuStreamIsCapturing)            \
    X(stream_create, cuStreamCreate)                       \
    X(stream_destroy, cuStreamDestroy)                     \
    X(stream_synchronize, cuStreamSynchronize)             \
    X(event_create, cuEventCreate)                         \
    X(event_destroy, cuEventDestroy)                       \
    X(event_record, cuEventRecord)                         \
    X(event_synchronize, cuEventSynchronize)               \
    X(event_elapsed_time, cuEventElapsedTime)

struct DriverApi {
#define SAGEJIT_MEMBER(member, function) decltype(&::function) member = nullptr;
    SAGEJIT_DRIVER_FUNCTIONS(SAGEJIT_MEMBER)
#undef SAGEJIT_MEMBER
    // Loads a function's code at once instead of at its first launch; null before CUDA 12.4.
    decltype(&::cuFuncLoad) func_load = nullptr;
    // Null in a driver that has no tensor maps, which only kernels for sm_90a need.
    decltype(&::cuTensorMapEncodeTiled) tensor_map_encode_tiled = nullptr;
    DriverInfo info;

    // "CUDA_ERROR_OUT_OF_MEMORY: out of memory".
    std::string describe(CUresult result) const;
    // Throws Error(code) saying which function failed, and how, unless result is success.
    void check(CUresult result, const char* function, ErrorCode code = ErrorCode::kLaunchFailed,
               std::string_view where = {}) const;
};

// The process's driver, opened by the first call that succeeds. Throws as probe_driver does, and
// Error(kNoDriver) in a child process forked after that.
const DriverApi& driver_api();

// True in a child process forked after the driver was initialised: no call would work there. There
// ctx_get_current and launch_kernel_ex fail without asking the driver, so that who calls one of
// them first need not ask this.
inline std::atomic<bool> forked_after_init = false;
inline bool driver_lost_by_fork() { return forked_after_init.load(std::memory_order_relaxed); }
[[noreturn]] void throw_driver_lost_by_fork();

// A GPU's primary context, the one the CUDA runtime uses, retained until the process ends.
CUcontext primary_context(int ordinal);
CUdevice device_handle(int ordinal);

// Whether a context is the thread's current one.
inline bool is_current(const DriverApi& api, CUcontext context) {
    CUcontext current = nullptr;
    return api.ctx_get_current(&current) == CUDA_SUCCESS && current == context;
}

// Pushes a context for a scope.
class PushedContext {
  public:
    // Throws Error(kLaunchFailed); Error(kNoDriver) after a fork.
    [[gnu::cold]] PushedContext(const DriverApi& api, CUcontext context);
    [[gnu::cold]] ~PushedContext();
    PushedContext(const PushedContext&) = delete;
    PushedContext& operator=(const PushedContext&) = delete;

  private:
    const DriverApi& api_;
};

// Makes a context current for a scope. Restores the caller's afterwards; does nothing when it is
// current already.
class ScopedContext {
  public:
    // Throws as PushedContext does.
    ScopedContext(const DriverApi& api, CUcontext context) {
        if (!is_current(api, context)) pushed_.emplace(api, context);
    }

  private:
    std::optional<PushedContext> pushed_;
};

}  // namespace sagejit
