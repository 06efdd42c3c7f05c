#include "sagejit/device_buffer.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "driver_api.h"

namespace sagejit {
namespace {

constexpr size_t kAlignment = 256;

CUdeviceptr device_pointer(void* data) { return reinterpret_cast<CUdeviceptr>(data); }

void* allocate_on_host(size_t bytes) {
    const size_t whole = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    void* data = whole < bytes ? nullptr : std::aligned_alloc(kAlignment, whole);
    if (data != nullptr) return data;
    throw Error(ErrorCode::kLaunchFailed, fmt::format("out of memory: {} bytes", bytes), "host");
}

void* allocate_on_gpu(const Device& device, size_t bytes) {
    const DriverApi& api = driver_api();
    const ScopedContext scope(api, primary_context(device.ordinal()));
    CUdeviceptr pointer = 0;
    api.check(api.mem_alloc(&pointer, bytes), "cuMemAlloc", ErrorCode::kLaunchFailed,
              fmt::format("{}, {} bytes", device.text(), bytes));
    return reinterpret_cast<void*>(pointer);
}

}  // namespace

DeviceBuffer::DeviceBuffer(const Device& device, size_t bytes) : device_(device), bytes_(bytes) {
    if (bytes == 0) return;
    data_ = device.is_host() ? allocate_on_host(bytes) : allocate_on_gpu(device, bytes);
}

DeviceBuffer::~DeviceBuffer() { release(); }

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : device_(other.device_),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

// Failures have nobody to go to: the driver is gone, or a kernel before has faulted.
void DeviceBuffer::release() noexcept {
    if (data_ == nullptr) return;
    if (device_.is_host()) {
        std::free(data_);
    } else if (!driver_lost_by_fork()) {
        try {
            const DriverApi& api = driver_api();
            const ScopedContext scope(api, primary_context(device_.ordinal()));
            api.mem_free(device_pointer(data_));
        } catch (const Error&) {
        }
    }
    data_ = nullptr;
}

void DeviceBuffer::check_range(size_t bytes, size_t offset) const {
    if (offset <= bytes_ && bytes <= bytes_ - offset) return;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} bytes at offset {} pass the end of a buffer of {} bytes", bytes,
                            offset, bytes_),
                "device buffer");
}

void DeviceBuffer::upload(const void* source, size_t bytes, size_t offset) {
    check_range(bytes, offset);
    if (bytes == 0) return;
    if (device_.is_host()) {
        std::memcpy(static_cast<std::byte*>(data_) + offset, source, bytes);
        return;
    }
    const DriverApi& api = driver_api();
    const ScopedContext scope(api, primary_context(device_.ordinal()));
    api.check(api.memcpy_htod(device_pointer(data_) + offset, source, bytes), "cuMemcpyHtoD",
              ErrorCode::kLaunchFailed, device_.text());
}

void DeviceBuffer::download(void* destination, size_t bytes, size_t offset) const {
    check_range(bytes, offset);
    if (bytes == 0) return;
    if (device_.is_host()) {
        std::memcpy(destination, static_cast<const std::byte*>(data_) + offset, bytes);
        return;
    }
    const DriverApi& api = driver_api();
    const ScopedContext scope(api, primary_context(device_.ordinal()));
    api.check(api.memcpy_dtoh(destination, device_pointer(data_) + offset, bytes), "cuMemcpyDtoH",
              ErrorCode::kLaunchFailed, device_.text());
}

void DeviceBuffer::copy_from(const DeviceBuffer& source, size_t bytes, size_t source_offset,
                             size_t offset) {
    check_range(bytes, offset);
    source.check_range(bytes, source_offset);
    if (source.device_.text() != device_.text()) {
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("the source is on {}, the destination on {}", source.device_.text(),
                                device_.text()),
                    "device buffer");
    }
    if (bytes == 0) return;
    if (device_.is_host()) {
        std::memmove(static_cast<std::byte*>(data_) + offset,
                     static_cast<const std::byte*>(source.data_) + source_offset, bytes);
        return;
    }
    const DriverApi& api = driver_api();
    const ScopedContext scope(api, primary_context(device_.ordinal()));
    api.check(api.memcpy_dtod(device_pointer(data_) + offset,
                              device_pointer(source.data_) + source_offset, bytes),
              "cuMemcpyDtoD", ErrorCode::kLaunchFailed, device_.text());
}

void DeviceBuffer::fill(unsigned char value) {
    if (bytes_ == 0) return;
    if (device_.is_host()) {
        std::memset(data_, value, bytes_);
        return;
    }
    const DriverApi& api = driver_api();
    const ScopedContext scope(api, primary_context(device_.ordinal()));
    api.check(api.memset_d8(device_pointer(data_), value, bytes_), "cuMemsetD8",
              ErrorCode::kLaunchFailed, device_.text());
}

}  // namespace sagejit
