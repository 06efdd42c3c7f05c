#include "driver.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <map>
#include <mutex>

#include "driver_api.h"

namespace sagejit {
namespace {

GpuInfo query_gpu(const DriverApi& api, int ordinal) {
    const CUdevice device = device_handle(ordinal);
    const std::string where = fmt::format("cuda:{}", ordinal);
    const auto attribute = [&](CUdevice_attribute name) {
        int value = 0;
        api.check(api.device_get_attribute(&value, name, device), "cuDeviceGetAttribute",
                  ErrorCode::kNoDevice, where);
        return value;
    };
    GpuInfo info;
    std::array<char, 256> name{};
    api.check(api.device_get_name(name.data(), static_cast<int>(name.size()), device),
              "cuDeviceGetName", ErrorCode::kNoDevice, where);
    info.name = name.data();
    info.major = attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
    info.minor = attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    info.multiprocessors = attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
    info.l2_bytes = static_cast<size_t>(attribute(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE));
    std::array<char, 32> bus_id{};
    api.check(api.device_get_pci_bus_id(bus_id.data(), static_cast<int>(bus_id.size()), device),
              "cuDeviceGetPCIBusId", ErrorCode::kNoDevice, where);
    info.pci_bus_id = bus_id.data();
    api.check(api.device_total_mem(&info.memory_bytes, device), "cuDeviceTotalMem",
              ErrorCode::kNoDevice, where);
    return info;
}

}  // namespace

std::string DriverInfo::version_text() const {
    return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

int gpu_count() {
    const DriverApi& api = driver_api();
    int count = 0;
    api.check(api.device_get_count(&count), "cuDeviceGetCount", ErrorCode::kNoDevice);
    return count;
}

const GpuInfo& gpu_info(int ordinal) {
    static std::mutex mutex;
    static std::map<int, GpuInfo> known;  // nodes stay where they are
    static std::array<std::atomic<const GpuInfo*>, kQuickOrdinals> quick{};
    const DriverApi& api = driver_api();
    const bool is_quick = ordinal >= 0 && ordinal < kQuickOrdinals;
    if (is_quick) {
        if (const GpuInfo* info = quick[ordinal].load(std::memory_order_acquire)) return *info;
    }
    const std::lock_guard lock(mutex);
    if (const auto found = known.find(ordinal); found != known.end()) return found->second;
    const int count = gpu_count();
    if (ordinal < 0 || ordinal >= count) {
        throw Error(ErrorCode::kNoDevice,
                    fmt::format("there is no GPU cuda:{}; the driver counts {}", ordinal, count),
                    "device", "choose cuda:0 to cuda:N-1, and check CUDA_VISIBLE_DEVICES");
    }
    const GpuInfo& info = known.emplace(ordinal, query_gpu(api, ordinal)).first->second;
    if (is_quick) quick[ordinal].store(&info, std::memory_order_release);
    return info;
}

size_t gpu_free_memory(int ordinal) {
    const DriverApi& api = driver_api();
    const ScopedContext scope(api, primary_context(ordinal));
    size_t free = 0, total = 0;
    api.check(api.mem_get_info(&free, &total), "cuMemGetInfo", ErrorCode::kNoDevice,
              fmt::format("cuda:{}", ordinal));
    return free;
}

}  // namespace sagejit
