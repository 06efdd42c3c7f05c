// Memory for the work on a stream.
#pragma once

#include <cstddef>
#include <optional>

#include "sagejit/device_buffer.h"
#include "sagejit/sagejit.h"

namespace sagejit {

// Whether the stream is being captured in a graph; never on the host device.
// Throws Error(kLaunchFailed) for a stream the driver does not take.
bool is_capturing(const Device& device, void* stream);

// Bytes allocated and freed in the order of a stream's work: they may be used by what is enqueued
// during the scope. Aligned to 256. On the host device ordinary memory.
class StreamMemory {
  public:
    // Throws Error(kLaunchFailed) when there is not enough or the GPU has no memory pools.
    StreamMemory(const Device& device, size_t bytes, void* stream);
    ~StreamMemory();
    StreamMemory(const StreamMemory&) = delete;
    StreamMemory& operator=(const StreamMemory&) = delete;

    void* data() const { return data_; }  // null for 0 bytes

  private:
    Device device_;
    void* stream_;
    void* data_ = nullptr;
    std::optional<DeviceBuffer> host_;
};

}  // namespace sagejit
