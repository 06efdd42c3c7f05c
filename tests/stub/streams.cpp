// Streams, captures, graphs, events.
#include <algorithm>
#include <ctime>
#include <utility>

#include "entry.h"
#include "launches.h"
#include "state.h"

namespace sagejit::stub {
namespace {

// The stream destroyed last, to be given out again where a test asked for it. Not in State: how
// large that is decides where on the heap a benchmark's memory is.
constinit bool reuses_streams = false;
constinit Stream* destroyed = nullptr;

Context* current_context() { return context_stack().top(); }

// A graph that was instantiated; never freed, so that a stale handle is noticed.
struct GraphExec {
    static constexpr uint64_t kMagic = 0x4578656347726170;
    uint64_t magic = kMagic;
    std::vector<Launch> nodes;
};

uint64_t now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000u + time.tv_nsec;
}

}  // namespace

void reuse_streams(bool on) {
    const std::lock_guard lock(state().mutex);
    reuses_streams = on;
    destroyed = nullptr;
}

CUresult stream_create(CUstream* stream, unsigned flags) {
    Context* context = current_context();
    if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    const std::lock_guard lock(state().mutex);
    Stream* made = std::exchange(destroyed, nullptr);
    if (made == nullptr) made = new Stream;
    *made = Stream();
    made->context = context;
    made->blocking = (flags & CU_STREAM_NON_BLOCKING) == 0;
    *stream = reinterpret_cast<CUstream>(made);
    return CUDA_SUCCESS;
}

CUresult stream_destroy(CUstream handle) {
    auto* stream = object_of<Stream>(handle);
    if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    stream->magic = 0;
    const std::lock_guard lock(state().mutex);
    if (reuses_streams) destroyed = stream;
    return CUDA_SUCCESS;
}

CUresult stream_synchronize(CUstream handle) {
    CUresult result = CUDA_SUCCESS;
    Stream* stream = stream_of(handle, result);
    if (stream == nullptr) return result;
    const std::lock_guard lock(state().mutex);
    if (stream->capture == CU_STREAM_CAPTURE_STATUS_NONE) return refuse_during_capture();
    stream->capture = CU_STREAM_CAPTURE_STATUS_INVALIDATED;
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

CUresult stream_get_ctx(CUstream handle, CUcontext* context) {
    CUresult result = CUDA_SUCCESS;
    Stream* stream = stream_of(handle, result);
    if (stream != nullptr) *context = reinterpret_cast<CUcontext>(stream->context);
    return result;
}

CUresult stream_begin_capture(CUstream handle, CUstreamCaptureMode mode) {
    auto* stream = object_of<Stream>(handle);
    if (stream == nullptr) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;  // the legacy one
    const std::lock_guard lock(state().mutex);
    if (stream->capture != CU_STREAM_CAPTURE_STATUS_NONE) return CUDA_ERROR_ILLEGAL_STATE;
    stream->mode = mode;
    stream->capturing_thread = this_thread();
    stream->graph = new Graph;
    stream->graph->nodes.reserve(64);
    state().capturing.push_back(stream);
    stream->capture = CU_STREAM_CAPTURE_STATUS_ACTIVE;
    return CUDA_SUCCESS;
}

CUresult stream_is_capturing(CUstream handle, CUstreamCaptureStatus* status) {
    CUresult result = CUDA_SUCCESS;
    const Stream* stream = stream_of(handle, result);
    if (stream != nullptr) *status = stream->capture;
    return result;
}

CUresult stream_end_capture(CUstream handle, CUgraph* graph) {
    auto* stream = object_of<Stream>(handle);
    if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    const std::lock_guard lock(state().mutex);
    if (stream->capture == CU_STREAM_CAPTURE_STATUS_NONE) return CUDA_ERROR_ILLEGAL_STATE;
    const bool whole = stream->capture == CU_STREAM_CAPTURE_STATUS_ACTIVE;
    stream->capture = CU_STREAM_CAPTURE_STATUS_NONE;
    std::erase(state().capturing, stream);
    Graph* captured = stream->graph;
    stream->graph = nullptr;
    if (!whole) {
        delete captured;
        *graph = nullptr;
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    }
    *graph = reinterpret_cast<CUgraph>(captured);
    return CUDA_SUCCESS;
}

CUresult graph_get_nodes(CUgraph graph, CUgraphNode* nodes, size_t* count) {
    if (nodes != nullptr) return CUDA_ERROR_INVALID_VALUE;  // the stub only counts them
    *count = reinterpret_cast<Graph*>(graph)->nodes.size();
    return CUDA_SUCCESS;
}

CUresult graph_instantiate(CUgraphExec* exec, CUgraph graph, unsigned long long) {
    auto* made = new GraphExec;
    made->nodes = reinterpret_cast<Graph*>(graph)->nodes;
    *exec = reinterpret_cast<CUgraphExec>(made);
    return CUDA_SUCCESS;
}

CUresult graph_launch(CUgraphExec handle, CUstream stream_handle) {
    CUresult result = CUDA_SUCCESS;
    Stream* stream = stream_of(stream_handle, result);
    if (stream == nullptr) return result;
    const auto* exec = object_of<GraphExec>(handle);
    if (exec == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    for (Launch launch : exec->nodes) {
        launch.captured = false;
        launch.stream = stream_handle;
        note_launch(launch);
    }
    return CUDA_SUCCESS;
}

CUresult graph_exec_destroy(CUgraphExec handle) {
    auto* exec = object_of<GraphExec>(handle);
    if (exec == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    exec->magic = 0;
    return CUDA_SUCCESS;
}

CUresult graph_destroy(CUgraph graph) {
    delete reinterpret_cast<Graph*>(graph);
    return CUDA_SUCCESS;
}

CUresult event_create(CUevent* event, unsigned) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    auto* made = new Event;
    made->context = current_context();
    *event = reinterpret_cast<CUevent>(made);
    return CUDA_SUCCESS;
}

CUresult event_destroy(CUevent handle) {
    auto* event = object_of<Event>(handle);
    if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    event->magic = 0;
    return CUDA_SUCCESS;
}

CUresult event_record(CUevent handle, CUstream stream_handle) {
    auto* event = object_of<Event>(handle);
    CUresult result = CUDA_SUCCESS;
    const Stream* stream = stream_of(stream_handle, result);
    if (event == nullptr || stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (stream->context != event->context) return CUDA_ERROR_INVALID_HANDLE;
    event->nanoseconds = now();
    return CUDA_SUCCESS;
}

CUresult event_synchronize(CUevent handle) {
    if (object_of<Event>(handle) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    const std::lock_guard lock(state().mutex);
    return refuse_during_capture();
}

CUresult event_elapsed_time(float* milliseconds, CUevent start, CUevent stop) {
    const auto* first = object_of<Event>(start);
    const auto* second = object_of<Event>(stop);
    if (first == nullptr || second == nullptr || first->nanoseconds == 0 ||
        second->nanoseconds == 0) {
        return CUDA_ERROR_INVALID_HANDLE;
    }
    *milliseconds = static_cast<float>(second->nanoseconds - first->nanoseconds) * 1e-6f;
    return CUDA_SUCCESS;
}

}  // namespace sagejit::stub
