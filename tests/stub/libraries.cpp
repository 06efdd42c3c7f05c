// Libraries, kernels, functions.
#include <algorithm>

#include "cubin_file.h"
#include "entry.h"
#include "state.h"

namespace sagejit::stub {

CUresult library_load_data(CUlibrary* library, const void* code, CUjit_option*, void**, unsigned,
                           CUlibraryOption*, void**, unsigned) {
    const std::lock_guard lock(state().mutex);
    if (const CUresult refused = refuse_during_capture()) return refused;
    CubinFile file;
    if (code == nullptr || !read_cubin(code, file)) return CUDA_ERROR_INVALID_IMAGE;
    auto* loaded = new Library;
    loaded->arch = file.arch;
    const auto& devices = state().devices;
    if (std::none_of(devices.begin(), devices.end(),
                     [&](const DeviceState& device) { return can_run(*loaded, device); })) {
        delete loaded;
        return CUDA_ERROR_NO_BINARY_FOR_GPU;
    }
    for (const CubinKernel& each : file.kernels) {
        auto kernel = std::make_unique<KernelState>();
        kernel->library = loaded;
        kernel->name = each.name;
        kernel->parameter_bytes = each.parameter_bytes;
        loaded->kernels.push_back(std::move(kernel));
    }
    ++state().libraries;
    *library = reinterpret_cast<CUlibrary>(loaded);
    return CUDA_SUCCESS;
}

CUresult library_unload(CUlibrary handle) {
    const std::lock_guard lock(state().mutex);
    auto* library = object_of<Library>(handle);
    if (library == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    library->magic = 0;
    for (auto& kernel : library->kernels) kernel->magic = 0;
    for (auto& function : library->functions) function->magic = 0;
    --state().libraries;
    return CUDA_SUCCESS;
}

CUresult library_get_kernel(CUkernel* kernel, CUlibrary handle, const char* name) {
    const std::lock_guard lock(state().mutex);
    auto* library = object_of<Library>(handle);
    if (library == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    for (auto& each : library->kernels) {
        if (each->name != name) continue;
        *kernel = reinterpret_cast<CUkernel>(each.get());
        return CUDA_SUCCESS;
    }
    return CUDA_ERROR_NOT_FOUND;
}

CUresult kernel_get_function(CUfunction* function, CUkernel handle) {
    const std::lock_guard lock(state().mutex);
    auto* kernel = object_of<KernelState>(handle);
    if (kernel == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    Context* context = context_stack().top();
    if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (!can_run(*kernel->library, state().devices[context->device])) {
        return CUDA_ERROR_NO_BINARY_FOR_GPU;
    }
    auto& functions = kernel->library->functions;
    const auto found = std::find_if(functions.begin(), functions.end(), [&](const auto& each) {
        return each->kernel == kernel && each->context == context;
    });
    if (found == functions.end()) {
        auto made = std::make_unique<FunctionState>();
        made->kernel = kernel;
        made->context = context;
        functions.push_back(std::move(made));
        *function = reinterpret_cast<CUfunction>(functions.back().get());
    } else {
        *function = reinterpret_cast<CUfunction>(found->get());
    }
    return CUDA_SUCCESS;
}

CUresult kernel_set_attribute(CUfunction_attribute attribute, int value, CUkernel handle,
                              CUdevice device) {
    const std::lock_guard lock(state().mutex);
    auto* kernel = object_of<KernelState>(handle);
    if (kernel == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    const auto& devices = state().devices;
    if (device < 0 || device >= static_cast<int>(devices.size())) return CUDA_ERROR_INVALID_DEVICE;
    if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value < 0 ||
        value > max_shared_bytes(devices[device])) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    kernel->dynamic_shared[device] = value;
    return CUDA_SUCCESS;
}

CUresult func_load(CUfunction handle) {
    const std::lock_guard lock(state().mutex);
    if (const CUresult refused = refuse_during_capture()) return refused;
    auto* function = object_of<FunctionState>(handle);
    if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    function->loaded = true;
    return CUDA_SUCCESS;
}

}  // namespace sagejit::stub
