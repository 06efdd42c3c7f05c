#include "driver_api.h"

#include <fmt/format.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

#include "background.h"
#include "dynamic_library.h"

namespace sagejit {
namespace {

// The oldest driver with cuLibraryLoadData. Entry points are asked for in this version's form, so
// that newer drivers hand out the same signatures.
constexpr int kCudaVersion = 12000;
constexpr int kFuncLoadVersion = 12040;

constexpr const char* kInstall =
    "install the NVIDIA driver, or run on the host device; in a container, start it with the GPU";

constexpr const char* kUpdate = "update the NVIDIA driver to version 525 or newer";

std::vector<std::string> candidates() {
    const char* named = std::getenv("SAGEJIT_LIBCUDA");
    if (named != nullptr && *named != '\0') return {named};
    // The loader's search; then where WSL and the container toolkit put it.
    return {"libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1",
            "/usr/local/nvidia/lib64/libcuda.so.1"};
}

DynamicLibrary open_library() {
    std::vector<SearchedPlace> searched;
    DynamicLibrary library = DynamicLibrary::open_first(candidates(), searched);
    if (library.is_open()) return library;
    throw Error(
        ErrorCode::kNoDriver,
        "the CUDA driver (libcuda.so.1) was not found; searched:" + to_text(searched) + "\n",
        "driver", kInstall);
}

using GetProcAddress = decltype(&::cuGetProcAddress);

// Null where the driver has no such function at that version.
void* find_function(GetProcAddress get, const char* name, int version) {
    void* function = nullptr;
    // The legacy default stream: a null stream means the same thing in every thread.
    const CUresult result =
        get(name, &function, version, CU_GET_PROC_ADDRESS_LEGACY_STREAM, nullptr);
    return result == CUDA_SUCCESS ? function : nullptr;
}

// The function that finds the others. Throws Error(kNoDriver).
GetProcAddress find_get_proc_address(const DynamicLibrary& library) {
    const auto get = reinterpret_cast<GetProcAddress>(library.symbol("cuGetProcAddress_v2"));
    if (get == nullptr) {
        throw Error(ErrorCode::kNoDriver,
                    library.path() +
                        " is not a CUDA driver of version 12.0 or newer: it has no "
                        "cuGetProcAddress_v2",
                    "driver", kUpdate);
    }
    void* function = nullptr;
    if (get("cuInit", &function, kCudaVersion, CU_GET_PROC_ADDRESS_LEGACY_STREAM, nullptr) ==
        CUDA_ERROR_STUB_LIBRARY) {
        throw Error(ErrorCode::kNoDriver,
                    library.path() + " is the CUDA toolkit's link-time stub, not a driver",
                    "driver", kInstall);
    }
    return get;
}

DriverApi open_driver() {
    const DynamicLibrary library = open_library();
    const GetProcAddress get = find_get_proc_address(library);
    DriverApi api;
    api.info.path = library.path();
#define SAGEJIT_BIND(member, function)                                                       \
    api.member =                                                                             \
        reinterpret_cast<decltype(api.member)>(find_function(get, #function, kCudaVersion)); \
    if (api.member == nullptr) missing = #function;
    const char* missing = nullptr;
    SAGEJIT_DRIVER_FUNCTIONS(SAGEJIT_BIND)
#undef SAGEJIT_BIND
    if (missing != nullptr) {
        throw Error(ErrorCode::kNoDriver, fmt::format("{} has no {}", library.path(), missing),
                    "driver", kUpdate);
    }
    api.func_load = reinterpret_cast<decltype(api.func_load)>(
        find_function(get, "cuFuncLoad", kFuncLoadVersion));
    api.tensor_map_encode_tiled = reinterpret_cast<decltype(api.tensor_map_encode_tiled)>(
        find_function(get, "cuTensorMapEncodeTiled", kCudaVersion));

    const CUresult result = api.init(0);
    if (result == CUDA_ERROR_NO_DEVICE) {
        throw Error(ErrorCode::kNoDevice,
                    fmt::format("the CUDA driver ({}) sees no GPU", library.path()), "driver",
                    "check CUDA_VISIBLE_DEVICES and nvidia-smi, or run on the host device");
    }
    if (result != CUDA_SUCCESS) {
        throw Error(ErrorCode::kNoDriver,
                    fmt::format("the CUDA driver ({}) does not initialise: cuInit returned {}",
                                library.path(), api.describe(result)),
                    "driver",
                    "check that nvidia-smi works in this process's environment, and that the "
                    "process was not forked from one that uses CUDA");
    }
    api.check(api.driver_get_version(&api.info.version), "cuDriverGetVersion",
              ErrorCode::kNoDriver);
    return api;
}

// The process's driver, for the child of a fork.
std::atomic<DriverApi*> process_driver = nullptr;

CUresult get_no_current(CUcontext* /*context*/) { return CUDA_ERROR_NOT_INITIALIZED; }
CUresult launch_nothing(const CUlaunchConfig* /*config*/, CUfunction /*function*/,
                        void** /*parameters*/, void** /*extra*/) {
    return CUDA_ERROR_NOT_INITIALIZED;
}

// Nobody else runs in a process that was just forked.
void lose_driver() {
    forked_after_init.store(true);
    DriverApi* const api = process_driver.load();
    if (api == nullptr) return;
    api->ctx_get_current = get_no_current;
    api->launch_kernel_ex = launch_nothing;
}

// Opens the driver for the process and notices forks from then on.
const DriverApi* open_driver_for_process() {
    auto* const api = new DriverApi(open_driver());
    process_driver.store(api);
    pthread_atfork(nullptr, nullptr, lose_driver);
    finish_background_before_exit();
    return api;
}

}  // namespace

std::string DriverApi::describe(CUresult result) const {
    const char* name = nullptr;
    const char* text = nullptr;
    if (get_error_name(result, &name) != CUDA_SUCCESS || name == nullptr) {
        return fmt::format("error {}", static_cast<int>(result));
    }
    if (get_error_string(result, &text) != CUDA_SUCCESS || text == nullptr) return name;
    return fmt::format("{}: {}", name, text);
}

void DriverApi::check(CUresult result, const char* function, ErrorCode code,
                      std::string_view where) const {
    if (result == CUDA_SUCCESS) return;
    throw Error(code, fmt::format("{} returned {}", function, describe(result)),
                std::string(where));
}

const DriverApi& driver_api() {
    // An initialiser that throws leaves the static unset: the next call searches again. Never
    // destroyed, since kernels may outlive the statics of this file.
    static const DriverApi* const api = open_driver_for_process();
    if (driver_lost_by_fork()) throw_driver_lost_by_fork();
    return *api;
}

void throw_driver_lost_by_fork() {
    throw Error(ErrorCode::kNoDriver,
                "this process was forked after the CUDA driver was initialised, and cannot use it",
                "driver",
                "fork before the first use of a GPU, or start a new process (exec, spawn)");
}

CUdevice device_handle(int ordinal) {
    const DriverApi& api = driver_api();
    CUdevice device = 0;
    api.check(api.device_get(&device, ordinal), "cuDeviceGet", ErrorCode::kNoDevice,
              fmt::format("cuda:{}", ordinal));
    return device;
}

CUcontext primary_context(int ordinal) {
    static std::mutex mutex;
    static std::map<int, CUcontext> contexts;
    static std::array<std::atomic<CUcontext>, kQuickOrdinals> quick{};
    const DriverApi& api = driver_api();
    const bool is_quick = ordinal >= 0 && ordinal < kQuickOrdinals;
    if (is_quick) {
        const CUcontext retained = quick[ordinal].load(std::memory_order_acquire);
        if (retained != nullptr) return retained;
    }
    const std::lock_guard lock(mutex);
    CUcontext& context = contexts[ordinal];
    if (context == nullptr) {
        api.check(api.device_primary_ctx_retain(&context, device_handle(ordinal)),
                  "cuDevicePrimaryCtxRetain", ErrorCode::kLaunchFailed,
                  fmt::format("cuda:{}", ordinal));
        if (is_quick) quick[ordinal].store(context, std::memory_order_release);
    }
    return context;
}

PushedContext::PushedContext(const DriverApi& api, CUcontext context) : api_(api) {
    if (driver_lost_by_fork()) throw_driver_lost_by_fork();
    api.check(api.ctx_push_current(context), "cuCtxPushCurrent");
}

PushedContext::~PushedContext() {
    CUcontext popped = nullptr;
    api_.ctx_pop_current(&popped);
}

DriverInfo probe_driver() { return open_driver().info; }

}  // namespace sagejit
