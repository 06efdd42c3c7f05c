// Entry points: counted, and made to fail where a test asked for it.
#pragma once

#include <cuda.h>

namespace sagejit::stub {

// Function, and what does it here. All but cuCtxCreate, whose newest form is not the one of CUDA
// 12.0 that programs ask for.
#define SAGEJIT_STUB_ENTRIES(X)                        \
    X(cuInit, initialise)                              \
    X(cuDriverGetVersion, driver_get_version)          \
    X(cuGetErrorName, get_error_name)                  \
    X(cuGetErrorString, get_error_string)              \
    X(cuDeviceGetCount, device_get_count)              \
    X(cuDeviceGet, device_get)                         \
    X(cuDeviceGetName, device_get_name)                \
    X(cuDeviceGetAttribute, device_get_attribute)      \
    X(cuDeviceGetPCIBusId, device_get_pci_bus_id)      \
    X(cuDeviceTotalMem, device_total_mem)              \
    X(cuDevicePrimaryCtxRetain, primary_retain)        \
    X(cuDevicePrimaryCtxRelease, primary_release)      \
    X(cuDevicePrimaryCtxReset, primary_reset)          \
    X(cuDevicePrimaryCtxGetState, primary_get_state)   \
    X(cuCtxDestroy, ctx_destroy)                       \
    X(cuCtxGetCurrent, ctx_get_current)                \
    X(cuCtxSetCurrent, ctx_set_current)                \
    X(cuCtxPushCurrent, ctx_push_current)              \
    X(cuCtxPopCurrent, ctx_pop_current)                \
    X(cuCtxGetDevice, ctx_get_device)                  \
    X(cuCtxSynchronize, ctx_synchronize)               \
    X(cuLibraryLoadData, library_load_data)            \
    X(cuLibraryUnload, library_unload)                 \
    X(cuLibraryGetKernel, library_get_kernel)          \
    X(cuKernelGetFunction, kernel_get_function)        \
    X(cuKernelSetAttribute, kernel_set_attribute)      \
    X(cuFuncLoad, func_load)                           \
    X(cuLaunchKernelEx, launch_kernel_ex)              \
    X(cuTensorMapEncodeTiled, tensor_map_encode_tiled) \
    X(cuMemAlloc, mem_alloc)                           \
    X(cuMemFree, mem_free)                             \
    X(cuMemAllocAsync, mem_alloc_async)                \
    X(cuMemFreeAsync, mem_free_async)                  \
    X(cuMemGetInfo, mem_get_info)                      \
    X(cuMemcpyHtoD, memcpy_htod)                       \
    X(cuMemcpyDtoH, memcpy_dtoh)                       \
    X(cuMemcpyDtoD, memcpy_dtod)                       \
    X(cuMemsetD8, memset_d8)                           \
    X(cuPointerGetAttribute, pointer_get_attribute)    \
    X(cuStreamCreate, stream_create)                   \
    X(cuStreamDestroy, stream_destroy)                 \
    X(cuStreamSynchronize, stream_synchronize)         \
    X(cuStreamGetCtx, stream_get_ctx)                  \
    X(cuStreamBeginCapture, stream_begin_capture)      \
    X(cuStreamIsCapturing, stream_is_capturing)        \
    X(cuStreamEndCapture, stream_end_capture)          \
    X(cuGraphGetNodes, graph_get_nodes)                \
    X(cuGraphInstantiate, graph_instantiate)           \
    X(cuGraphLaunch, graph_launch)                     \
    X(cuGraphExecDestroy, graph_exec_destroy)          \
    X(cuGraphDestroy, graph_destroy)                   \
    X(cuEventCreate, event_create)                     \
    X(cuEventDestroy, event_destroy)                   \
    X(cuEventRecord, event_record)                     \
    X(cuEventSynchronize, event_synchronize)           \
    X(cuEventElapsedTime, event_elapsed_time)

#define SAGEJIT_STUB_DECLARE(function, name) decltype(::function) name;
SAGEJIT_STUB_ENTRIES(SAGEJIT_STUB_DECLARE)
#undef SAGEJIT_STUB_DECLARE
CUresult ctx_create(CUcontext* context, unsigned flags, CUdevice device);

// Reads "cuMemAlloc=2,cuLibraryLoadData=209".
void arm_faults(const char* text);

}  // namespace sagejit::stub
