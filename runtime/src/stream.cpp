#include "sagejit/stream.h"

#include <utility>

#include "driver_api.h"

namespace sagejit {
namespace {

// Calls the driver with the device's context current, and checks what it returns.
template <typename Call>
void on_gpu(const Device& device, const char* function, Call call) {
    const DriverApi& api = driver_api();
    const ScopedContext scope(api, primary_context(device.ordinal()));
    api.check(call(api), function, ErrorCode::kLaunchFailed, device.text());
}

// For destructors: there is nobody to tell.
template <typename Call>
void on_gpu_quietly(const Device& device, Call call) noexcept {
    if (driver_lost_by_fork()) return;
    try {
        on_gpu(device, "", call);
    } catch (const Error&) {
    }
}

void* create_event(const Device& device) {
    CUevent event = nullptr;
    on_gpu(device, "cuEventCreate",
           [&](const DriverApi& api) { return api.event_create(&event, CU_EVENT_DEFAULT); });
    return event;
}

void destroy_event(const Device& device, void* event) noexcept {
    if (event == nullptr) return;
    on_gpu_quietly(device, [event](const DriverApi& api) {
        return api.event_destroy(static_cast<CUevent>(event));
    });
}

void record_event(const Stream& stream, void* event) {
    on_gpu(stream.device(), "cuEventRecord", [&](const DriverApi& api) {
        return api.event_record(static_cast<CUevent>(event),
                                static_cast<CUstream>(stream.handle()));
    });
}

}  // namespace

Stream::Stream(const Device& device) : device_(device) {
    if (device.is_host()) return;
    CUstream stream = nullptr;
    on_gpu(device, "cuStreamCreate",
           [&](const DriverApi& api) { return api.stream_create(&stream, CU_STREAM_DEFAULT); });
    handle_ = stream;
}

Stream::~Stream() {
    if (handle_ == nullptr) return;
    on_gpu_quietly(device_, [this](const DriverApi& api) {
        return api.stream_destroy(static_cast<CUstream>(handle_));
    });
}

Stream::Stream(Stream&& other) noexcept
    : device_(other.device_), handle_(std::exchange(other.handle_, nullptr)) {}

Stream& Stream::operator=(Stream&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(handle_, other.handle_);
    return *this;
}

void Stream::synchronize() const {
    if (device_.is_host()) return;
    on_gpu(device_, "cuStreamSynchronize", [this](const DriverApi& api) {
        return api.stream_synchronize(static_cast<CUstream>(handle_));
    });
}

StreamTimer::StreamTimer(const Stream& stream) : stream_(stream) {
    if (stream.device().is_host()) return;
    start_ = create_event(stream.device());
    try {
        stop_ = create_event(stream.device());
    } catch (...) {
        destroy_event(stream.device(), start_);
        throw;
    }
}

StreamTimer::~StreamTimer() {
    destroy_event(stream_.device(), start_);
    destroy_event(stream_.device(), stop_);
}

void StreamTimer::start() {
    host_start_ = std::chrono::steady_clock::now();
    if (start_ != nullptr) record_event(stream_, start_);
}

void StreamTimer::stop() {
    host_stop_ = std::chrono::steady_clock::now();
    if (stop_ != nullptr) record_event(stream_, stop_);
}

double StreamTimer::milliseconds() const {
    if (stop_ == nullptr) {
        return std::chrono::duration<double, std::milli>(host_stop_ - host_start_).count();
    }
    const auto wait = [this](const DriverApi& api) {
        return api.event_synchronize(static_cast<CUevent>(stop_));
    };
    on_gpu(stream_.device(), "cuEventSynchronize", wait);
    float elapsed = 0;
    const auto read = [&](const DriverApi& api) {
        return api.event_elapsed_time(&elapsed, static_cast<CUevent>(start_),
                                      static_cast<CUevent>(stop_));
    };
    on_gpu(stream_.device(), "cuEventElapsedTime", read);
    return elapsed;
}

}  // namespace sagejit
