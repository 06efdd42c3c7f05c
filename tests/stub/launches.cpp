#include "launches.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "entry.h"
#include "state.h"

namespace sagejit::stub {
namespace {

constexpr size_t kKept = 256;
constexpr unsigned kMaxThreads = 1024;
constexpr int kSharedWithoutOptIn = 48 << 10;

// Launches of the past in a ring, so that recording takes no memory.
struct Log {
    std::mutex mutex;
    std::atomic<bool> recording = true;
    size_t count = 0;
    std::array<Launch, kKept> ring{};
};

// There before any thread is: ThreadSanitizer does not see who makes it, in a library that is not
// instrumented.
constinit Log kept;

Log& log() { return kept; }

void trace(const Launch& launch) {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    char line[256];
    const int length =
        std::snprintf(line, sizeof line, "%lld %d %s\n",
                      static_cast<long long>(now.tv_sec) * 1'000'000'000 + now.tv_nsec,
                      launch.device, launch.kernel);
    if (write(state().trace, line, length) != length) return;  // the test misses its line
}

// Work on the legacy stream would wait for a blocking stream that is being captured.
CUresult check_legacy(const Stream& stream) {
    if (&stream != &stream.context->legacy) return CUDA_SUCCESS;
    CUresult result = CUDA_SUCCESS;
    for (Stream* other : state().capturing) {
        if (!other->blocking || other->context != stream.context) continue;
        other->capture = CU_STREAM_CAPTURE_STATUS_INVALIDATED;
        result = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    }
    return result;
}

// As driver 580 does on an H200 (docs/decisions/0029-launch-first.md): the function's context and
// the stream's have to be one, which need not be current. A default stream is the current
// context's.
CUresult check_context(const FunctionState& function, const Stream& stream) {
    if (object_of<Context>(stream.context) == nullptr) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    if (function.context == stream.context) return CUDA_SUCCESS;
    // Whether a driver that refuses this spoils captures of blocking streams first is not known.
    const std::lock_guard lock(state().mutex);
    check_legacy(stream);
    return CUDA_ERROR_INVALID_HANDLE;
}

// What the driver checks besides.
CUresult check_launch(const CUlaunchConfig& config, const FunctionState& function) {
    const uint64_t threads = uint64_t{config.blockDimX} * config.blockDimY * config.blockDimZ;
    const uint64_t ctas = uint64_t{config.gridDimX} * config.gridDimY * config.gridDimZ;
    if (ctas == 0 || threads == 0 || threads > kMaxThreads) return CUDA_ERROR_INVALID_VALUE;
    const auto& limits = function.kernel->dynamic_shared;
    const auto limit = limits.find(function.context->device);
    const int allowed =
        limit != limits.end() ? std::max(limit->second, kSharedWithoutOptIn) : kSharedWithoutOptIn;
    if (config.sharedMemBytes > static_cast<unsigned>(allowed)) return CUDA_ERROR_INVALID_VALUE;
    return CUDA_SUCCESS;
}

Launch describe(const CUlaunchConfig& config, const FunctionState& function, void** parameters,
                bool captured) {
    Launch launch;
    launch.device = function.context->device;
    launch.kernel = function.kernel->name.c_str();
    launch.grid[0] = config.gridDimX;
    launch.grid[1] = config.gridDimY;
    launch.grid[2] = config.gridDimZ;
    launch.block[0] = config.blockDimX;
    launch.block[1] = config.blockDimY;
    launch.block[2] = config.blockDimZ;
    launch.shared_bytes = config.sharedMemBytes;
    launch.attributes = config.numAttrs;
    launch.overlaps = false;
    for (unsigned i = 0; i < config.numAttrs; ++i) {
        const CUlaunchAttribute& attribute = config.attrs[i];
        launch.overlaps |= attribute.id == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION &&
                           attribute.value.programmaticStreamSerializationAllowed == 1;
    }
    launch.stream = config.hStream;
    launch.captured = captured;
    launch.parameter_bytes = std::min(function.kernel->parameter_bytes, kMaxParameterBytes);
    if (launch.parameter_bytes > 0) {
        std::memcpy(launch.parameter, parameters[0], launch.parameter_bytes);
    }
    return launch;
}

}  // namespace

void note_launch(const Launch& launch) {
    if (state().trace >= 0) trace(launch);
    Log& all = log();
    const std::lock_guard lock(all.mutex);
    all.ring[all.count++ % kKept] = launch;
}

CUresult launch_kernel_ex(const CUlaunchConfig* config, CUfunction handle, void** parameters,
                          void** extra) {
    if (config == nullptr || extra != nullptr) return CUDA_ERROR_INVALID_VALUE;
    auto* function = object_of<FunctionState>(handle);
    if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    CUresult result = CUDA_SUCCESS;
    Stream* stream = stream_of(config->hStream, result);
    if (stream == nullptr) return result;
    if (result = check_context(*function, *stream); result != CUDA_SUCCESS) return result;
    if (result = check_launch(*config, *function); result != CUDA_SUCCESS) return result;
    if (!log().recording.load(std::memory_order_relaxed)) return CUDA_SUCCESS;
    const int shared = static_cast<int>(config->sharedMemBytes);
    if (shared == state().kill_at) raise(SIGKILL);
    while (shared == state().hang_at) pause();

    const std::unique_lock lock(state().mutex);
    if (stream->capture == CU_STREAM_CAPTURE_STATUS_INVALIDATED) {
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    }
    const bool captured = stream->capture == CU_STREAM_CAPTURE_STATUS_ACTIVE;
    // Code that is loaded by its first launch is loaded while others must not be disturbed.
    if (captured && !function->loaded) {
        stream->capture = CU_STREAM_CAPTURE_STATUS_INVALIDATED;
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    if (result = check_legacy(*stream); result != CUDA_SUCCESS) return result;
    function->loaded = true;
    const Launch launch = describe(*config, *function, parameters, captured);
    if (captured) stream->graph->nodes.push_back(launch);
    note_launch(launch);
    return CUDA_SUCCESS;
}

// Kept as it was asked for, after the checks the driver makes of what cannot be encoded.
CUresult tensor_map_encode_tiled(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank,
                                 void* address, const cuuint64_t* sizes, const cuuint64_t* strides,
                                 const cuuint32_t* box, const cuuint32_t* element_strides,
                                 CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
                                 CUtensorMapL2promotion promotion, CUtensorMapFloatOOBfill fill) {
    (void)type, (void)promotion, (void)fill;
    constexpr cuuint32_t kMaxRank = 5, kMaxBox = 256;
    if (map == nullptr || rank == 0 || rank > kMaxRank) return CUDA_ERROR_INVALID_VALUE;
    if (reinterpret_cast<uintptr_t>(map) % 64 != 0 ||
        reinterpret_cast<uintptr_t>(address) % 16 != 0) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    for (cuuint32_t i = 0; i < rank; ++i) {
        if (sizes[i] == 0 || box[i] == 0 || box[i] > kMaxBox || element_strides[i] == 0) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        if (i + 1 < rank && strides[i] % 16 != 0) return CUDA_ERROR_INVALID_VALUE;
    }
    std::memset(map, 0, sizeof *map);
    std::memcpy(map, &address, sizeof address);
    map->opaque[1] = rank;
    map->opaque[2] = static_cast<cuuint64_t>(interleave);
    map->opaque[3] = static_cast<cuuint64_t>(swizzle);
    for (cuuint32_t i = 0; i < rank; ++i) map->opaque[4 + i] = sizes[i];
    return CUDA_SUCCESS;
}

void fail(const char* function, int result, int skip, int times);
uint64_t calls(const char* function);
uint64_t all_calls();
void reset_counters();
void reuse_streams(bool on);

namespace {

bool copy_launch(size_t index, Launch* launch) {
    Log& all = log();
    const std::lock_guard lock(all.mutex);
    if (index >= all.count || index + kKept < all.count) return false;
    *launch = all.ring[index % kKept];
    return true;
}

size_t count_launches() {
    const std::lock_guard lock(log().mutex);
    return log().count;
}

void reset() {
    reset_counters();
    const std::lock_guard lock(log().mutex);
    log().count = 0;
    log().recording = true;
}

template <typename Value>
size_t sum_allocations(int device, Value value) {
    const std::lock_guard lock(state().mutex);
    size_t sum = 0;
    for (const auto& [pointer, allocation] : state().allocations) {
        if (allocation.device == device) sum += value(allocation);
    }
    return sum;
}

constexpr Controls kControls = {
    reset,
    [](bool on) { log().recording = on; },
    count_launches,
    copy_launch,
    calls,
    all_calls,
    fail,
    reuse_streams,
    [](int device) { return sum_allocations(device, [](const Allocation&) { return size_t{1}; }); },
    [](int device) { return sum_allocations(device, [](const Allocation& a) { return a.bytes; }); },
    [] { return state().libraries; },
};

}  // namespace
}  // namespace sagejit::stub

extern "C" __attribute__((visibility("default"))) const sagejit::stub::Controls*
sagejit_stub_driver() {
    return &sagejit::stub::kControls;
}
