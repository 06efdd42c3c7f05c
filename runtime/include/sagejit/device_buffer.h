// Memory on a device, for programs that have no allocator of their own: the command line, tests.
// The kernels take any device memory; nothing of the library needs this.
#pragma once

#include <cstddef>

#include "sagejit/sagejit.h"

namespace sagejit {

// Bytes on one device, freed at the end of its scope, aligned to 256. On the host device this is
// ordinary memory. Contents start undefined. Movable, not copyable.
class DeviceBuffer {
  public:
    DeviceBuffer() = default;  // no bytes, data() is null
    // Throws Error(kLaunchFailed) when the device has not enough memory.
    DeviceBuffer(const Device& device, size_t bytes);
    ~DeviceBuffer();
    DeviceBuffer(DeviceBuffer&& other) noexcept;
    DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;

    // An address on the device; null when bytes() is 0.
    void* data() const { return data_; }
    size_t bytes() const { return bytes_; }

    // Copy `bytes` bytes between the caller's memory and offset `offset` of this buffer, and
    // return when done. On a GPU both run on the legacy default stream, so they wait for earlier
    // work on streams that synchronise with it (those of Stream do). Throw Error(kInvalidArgument)
    // past the end, Error(kLaunchFailed) when the driver refuses or a kernel before has faulted.
    void upload(const void* source, size_t bytes, size_t offset = 0);
    void download(void* destination, size_t bytes, size_t offset = 0) const;
    // Copies within the device from offset `source_offset` of another buffer of it. Ordered and
    // failing like upload, but may return before the copy is done.
    void copy_from(const DeviceBuffer& source, size_t bytes, size_t source_offset = 0,
                   size_t offset = 0);
    // Sets every byte. Ordered and failing like upload.
    void fill(unsigned char value);

  private:
    void check_range(size_t bytes, size_t offset) const;
    void release() noexcept;

    Device device_ = Device::host();
    void* data_ = nullptr;
    size_t bytes_ = 0;
};

}  // namespace sagejit
