#include "bench/gpu_monitor.h"

#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <span>
#include <thread>
#include <utility>

#include "driver.h"
#include "dynamic_library.h"

namespace sagejit {
namespace {

// The few functions of nvml.h that are used, spelled out, since its package is a separate one.
using NvmlDevice = struct NvmlDeviceHandle*;
constexpr int kSuccess = 0;
constexpr int kClockSm = 1, kClockMemory = 2;
constexpr int kTemperatureGpu = 0;

struct NvmlApi {
    int (*init)() = nullptr;
    int (*device_by_bus_id)(const char*, NvmlDevice*) = nullptr;
    int (*driver_version)(char*, unsigned) = nullptr;
    int (*clock)(NvmlDevice, int, unsigned*) = nullptr;
    int (*power)(NvmlDevice, unsigned*) = nullptr;  // mW
    int (*temperature)(NvmlDevice, int, unsigned*) = nullptr;
    int (*throttle_reasons)(NvmlDevice, unsigned long long*) = nullptr;
};

// Bits of nvmlClocksThrottleReasons that slow a busy GPU down.
constexpr std::array<std::pair<unsigned long long, const char*>, 7> kReasons = {{
    {0x02, "application_clocks"},
    {0x04, "power_cap"},
    {0x08, "hardware_slowdown"},
    {0x10, "sync_boost"},
    {0x20, "software_thermal"},
    {0x40, "hardware_thermal"},
    {0x80, "hardware_power_brake"},
}};

template <typename Function>
void bind(const DynamicLibrary& library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(library.symbol(name));
}

// Empty, or why NVML cannot be used.
std::string open_nvml(NvmlApi& api) {
    const std::array<std::string, 3> names = {"libnvidia-ml.so.1",
                                              "/usr/lib/wsl/lib/libnvidia-ml.so.1",
                                              "/usr/local/nvidia/lib64/libnvidia-ml.so.1"};
    std::vector<SearchedPlace> searched;
    const DynamicLibrary library = DynamicLibrary::open_first(names, searched);
    if (!library.is_open()) return "libnvidia-ml.so.1 was not found";
    bind(library, "nvmlInit_v2", api.init);
    bind(library, "nvmlDeviceGetHandleByPciBusId_v2", api.device_by_bus_id);
    bind(library, "nvmlSystemGetDriverVersion", api.driver_version);
    bind(library, "nvmlDeviceGetClockInfo", api.clock);
    bind(library, "nvmlDeviceGetPowerUsage", api.power);
    bind(library, "nvmlDeviceGetTemperature", api.temperature);
    bind(library, "nvmlDeviceGetCurrentClocksThrottleReasons", api.throttle_reasons);
    if (api.init == nullptr || api.device_by_bus_id == nullptr) return "NVML lacks functions";
    if (api.init() != kSuccess) return "nvmlInit failed";
    return {};
}

}  // namespace

struct GpuMonitor::Watch {
    NvmlApi api;
    NvmlDevice device = nullptr;
    std::thread thread;
    std::mutex mutex;
    std::condition_variable stopping;
    bool stop = false;
    std::vector<double> sm_clock, memory_clock, power, temperature;
    unsigned long long reasons = 0;

    void read() {
        unsigned value = 0;
        if (api.clock != nullptr && api.clock(device, kClockSm, &value) == kSuccess) {
            sm_clock.push_back(value);
        }
        if (api.clock != nullptr && api.clock(device, kClockMemory, &value) == kSuccess) {
            memory_clock.push_back(value);
        }
        if (api.power != nullptr && api.power(device, &value) == kSuccess) {
            power.push_back(value / 1e3);
        }
        if (api.temperature != nullptr &&
            api.temperature(device, kTemperatureGpu, &value) == kSuccess) {
            temperature.push_back(value);
        }
        unsigned long long bits = 0;
        if (api.throttle_reasons != nullptr && api.throttle_reasons(device, &bits) == kSuccess) {
            reasons |= bits;
        }
    }

    void run() {
        constexpr std::chrono::milliseconds kPeriod{10};
        std::unique_lock lock(mutex);
        // The first reading comes a period after the start: before it the GPU may be idle.
        while (!stopping.wait_for(lock, kPeriod, [this] { return stop; })) read();
    }

    void join() {
        if (!thread.joinable()) return;
        {
            const std::lock_guard lock(mutex);
            stop = true;
        }
        stopping.notify_all();
        thread.join();
    }
};

GpuMonitor::GpuMonitor(const Device& device) {
    if (device.is_host()) {
        problem_ = "the host device has no GPU clocks";
        return;
    }
    auto watch = std::make_unique<Watch>();
    problem_ = open_nvml(watch->api);
    if (!problem_.empty()) return;
    std::array<char, 96> version{};
    if (watch->api.driver_version != nullptr &&
        watch->api.driver_version(version.data(), version.size()) == kSuccess) {
        driver_version_ = version.data();
    }
    const std::string& bus_id = gpu_info(device.ordinal()).pci_bus_id;
    if (watch->api.device_by_bus_id(bus_id.c_str(), &watch->device) != kSuccess) {
        problem_ = "NVML does not know the GPU at " + bus_id;
        return;
    }
    watch_ = std::move(watch);
}

GpuMonitor::~GpuMonitor() {
    if (watch_ != nullptr) watch_->join();
}

void GpuMonitor::start() {
    if (watch_ == nullptr) return;
    watch_->join();
    watch_->stop = false;
    watch_->reasons = 0;
    for (auto* samples :
         {&watch_->sm_clock, &watch_->memory_clock, &watch_->power, &watch_->temperature}) {
        samples->clear();
    }
    watch_->thread = std::thread([watch = watch_.get()] { watch->run(); });
}

std::optional<GpuReadings> GpuMonitor::stop() {
    if (watch_ == nullptr) return std::nullopt;
    watch_->join();
    if (watch_->sm_clock.empty() && watch_->power.empty()) watch_->read();
    GpuReadings readings;
    readings.sm_clock_mhz = summarize(watch_->sm_clock);
    readings.memory_clock_mhz = summarize(watch_->memory_clock);
    readings.power_w = summarize(watch_->power);
    readings.temperature_c = summarize(watch_->temperature);
    for (const auto& [bit, name] : kReasons) {
        if ((watch_->reasons & bit) != 0) readings.throttled.emplace_back(name);
    }
    return readings;
}

}  // namespace sagejit
