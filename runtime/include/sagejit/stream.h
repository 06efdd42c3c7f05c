// Streams and timers, for programs that have none of their own: the command line, tests. Kernels
// run on any stream of the device's primary context, the one the CUDA runtime uses.
#pragma once

#include <chrono>

#include "sagejit/sagejit.h"

namespace sagejit {

// A queue of work on one device, destroyed at the end of its scope. It synchronises with the
// legacy default stream. On the host device every call returns when it is done, and there is
// nothing to wait for. Movable, not copyable.
class Stream {
  public:
    // Throws Error(kLaunchFailed).
    explicit Stream(const Device& device);
    ~Stream();
    Stream(Stream&& other) noexcept;
    Stream& operator=(Stream&& other) noexcept;

    // What Kernel::launch takes: a CUstream, or null on the host device.
    void* handle() const { return handle_; }
    const Device& device() const { return device_; }
    // Waits for everything enqueued. Throws Error(kLaunchFailed) when a kernel faulted.
    void synchronize() const;

  private:
    Device device_;
    void* handle_ = nullptr;
};

// Measures the time between two points of a stream: on a GPU by events, so without the host's
// part; on the host device by the clock. Reusable; not copyable.
class StreamTimer {
  public:
    // The stream must outlive the timer. Throws Error(kLaunchFailed).
    explicit StreamTimer(const Stream& stream);
    ~StreamTimer();
    StreamTimer(const StreamTimer&) = delete;
    StreamTimer& operator=(const StreamTimer&) = delete;

    // Enqueue the two points. Throw Error(kLaunchFailed).
    void start();
    void stop();
    // Waits for the second point. Resolution on a GPU about 0.5 microseconds.
    double milliseconds() const;

  private:
    const Stream& stream_;
    void* start_ = nullptr;  // CUevents
    void* stop_ = nullptr;
    std::chrono::steady_clock::time_point host_start_, host_stop_;
};

}  // namespace sagejit
