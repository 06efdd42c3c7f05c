// What the stub driver knows. Everything but launches is guarded by one mutex.
#pragma once

#include <cuda.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "stub_driver.h"

namespace sagejit::stub {

struct Context;

// A node of a graph: a kernel launch.
struct Graph {
    std::vector<Launch> nodes;
};

struct Stream {
    static constexpr uint64_t kMagic = 0x53747265616d2121;
    uint64_t magic = kMagic;
    Context* context = nullptr;
    bool blocking = true;  // synchronises with the legacy stream
    CUstreamCaptureStatus capture = CU_STREAM_CAPTURE_STATUS_NONE;
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
    uint64_t capturing_thread = 0;
    Graph* graph = nullptr;
};

struct Context {
    static constexpr uint64_t kMagic = 0x436f6e7465787421;
    uint64_t magic = kMagic;
    int device = 0;
    Stream legacy;
};

struct DeviceState {
    int major = 0, minor = 0;
    std::string name;
    Context* primary = nullptr;
    int primary_references = 0;
};

struct Library;

// A kernel of a library, for every context.
struct KernelState {
    static constexpr uint64_t kMagic = 0x4b65726e656c2121;
    uint64_t magic = kMagic;
    Library* library = nullptr;
    std::string name;
    size_t parameter_bytes = 0;
    std::map<int, int> dynamic_shared;  // opt-in limit by device
};

// A kernel in one context.
struct FunctionState {
    static constexpr uint64_t kMagic = 0x46756e6374696f6e;
    uint64_t magic = kMagic;
    KernelState* kernel = nullptr;
    Context* context = nullptr;
    bool loaded = false;
};

struct Library {
    static constexpr uint64_t kMagic = 0x4c69627261727921;
    uint64_t magic = kMagic;
    int arch = 0;  // 90
    std::vector<std::unique_ptr<KernelState>> kernels;
    std::vector<std::unique_ptr<FunctionState>> functions;
};

struct Event {
    static constexpr uint64_t kMagic = 0x4576656e74212121;
    uint64_t magic = kMagic;
    Context* context = nullptr;
    uint64_t nanoseconds = 0;
};

struct Allocation {
    size_t bytes = 0;
    int device = 0;
    void* block = nullptr;
};

struct State {
    std::mutex mutex;
    std::atomic<bool> initialised = false;
    std::atomic<bool> forked = false;
    int driver_version = 13000;
    std::vector<DeviceState> devices;
    std::map<CUdeviceptr, Allocation> allocations;
    std::vector<Stream*> capturing;
    size_t libraries = 0;
    int trace = -1;  // file descriptor
    // Bytes of shared memory of launches that end or never end; -1: none.
    int kill_at = -1, hang_at = -1;
};

// Never destroyed: threads may still call while the process exits. Handles are never freed
// either, so that using one that is gone is noticed and not a crash.
State& state();

// The contexts of a thread, the current one last.
struct ContextStack {
    static constexpr int kDepth = 64;
    std::array<Context*, kDepth> contexts{};
    int size = 0;

    Context* top() const { return size > 0 ? contexts[size - 1] : nullptr; }
};
ContextStack& context_stack();

uint64_t this_thread();

// The object behind a handle; null for anything else.
template <typename Object, typename Handle>
Object* object_of(Handle handle) {
    Object* object = reinterpret_cast<Object*>(handle);
    return object != nullptr && object->magic == Object::kMagic ? object : nullptr;
}

// The stream behind a handle, the legacy one of the current context for null. Null with the
// driver's answer in `result`.
Stream* stream_of(CUstream handle, CUresult& result);

// What a call that the driver forbids during capture returns: it also spoils the capture.
CUresult refuse_during_capture();

// Opt-in limit of dynamic shared memory, bytes.
int max_shared_bytes(const DeviceState& device);
bool can_run(const Library& library, const DeviceState& device);

}  // namespace sagejit::stub
