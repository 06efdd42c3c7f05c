#include "state.h"

#include <fcntl.h>
#include <pthread.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

#include "entry.h"

namespace sagejit::stub {
namespace {

const char* variable(const char* name, const char* otherwise) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : otherwise;
}

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts;
    for (size_t begin = 0; begin <= text.size();) {
        const size_t end = std::min(text.find(',', begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

std::vector<DeviceState> all_devices() {
    std::vector<DeviceState> devices;
    for (const std::string& text : split(variable("SAGEJIT_STUB_DEVICES", "9.0"))) {
        const size_t dot = text.find('.');
        if (dot == std::string::npos) continue;
        DeviceState device;
        device.major = std::atoi(text.c_str());
        device.minor = std::atoi(text.c_str() + dot + 1);
        device.name = "Stub " + text + " #" + std::to_string(devices.size());
        devices.push_back(device);
    }
    return devices;
}

// As the driver: the numbers in order, up to the first that is none of them.
std::vector<DeviceState> visible_devices() {
    std::vector<DeviceState> all = all_devices();
    const char* wanted = std::getenv("CUDA_VISIBLE_DEVICES");
    if (wanted == nullptr) return all;
    std::vector<DeviceState> visible;
    for (const std::string& text : split(wanted)) {
        size_t index = all.size();
        const char* end = text.data() + text.size();
        const auto [rest, problem] = std::from_chars(text.data(), end, index);
        if (problem != std::errc() || rest != end || index >= all.size()) break;
        visible.push_back(all[index]);
    }
    return visible;
}

}  // namespace

State& state() {
    static State* const instance = new State;
    return *instance;
}

ContextStack& context_stack() {
    thread_local ContextStack stack;
    return stack;
}

uint64_t this_thread() { return pthread_self(); }

Stream* stream_of(CUstream handle, CUresult& result) {
    result = CUDA_SUCCESS;
    if (handle == nullptr || handle == CU_STREAM_LEGACY || handle == CU_STREAM_PER_THREAD) {
        Context* current = context_stack().top();
        if (current != nullptr) return &current->legacy;
        result = CUDA_ERROR_INVALID_CONTEXT;
        return nullptr;
    }
    Stream* stream = object_of<Stream>(handle);
    if (stream == nullptr) result = CUDA_ERROR_INVALID_HANDLE;
    return stream;
}

CUresult refuse_during_capture() {
    State& all = state();
    bool refused = false;
    for (Stream* stream : all.capturing) {
        const bool forbids = stream->mode == CU_STREAM_CAPTURE_MODE_GLOBAL ||
                             (stream->mode == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL &&
                              stream->capturing_thread == this_thread());
        if (!forbids) continue;
        stream->capture = CU_STREAM_CAPTURE_STATUS_INVALIDATED;
        refused = true;
    }
    return refused ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : CUDA_SUCCESS;
}

int max_shared_bytes(const DeviceState& device) {
    switch (device.major * 10 + device.minor) {
        case 75:
            return 64 << 10;
        case 80:
        case 87:
            return 163 << 10;
        case 90:
        case 100:
        case 103:
            return 227 << 10;
        default:
            return 99 << 10;
    }
}

bool can_run(const Library& library, const DeviceState& device) {
    constexpr int kTegra = 87;  // shares code with no other
    const int arch = device.major * 10 + device.minor;
    if (library.arch == kTegra || arch == kTegra) return library.arch == arch;
    return library.arch / 10 == device.major && library.arch % 10 <= device.minor;
}

CUresult initialise(unsigned flags) {
    if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
    State& all = state();
    const std::lock_guard lock(all.mutex);
    if (all.initialised) return all.forked ? CUDA_ERROR_NOT_INITIALIZED : CUDA_SUCCESS;
    arm_faults(variable("SAGEJIT_STUB_FAIL", ""));
    all.driver_version = std::atoi(variable("SAGEJIT_STUB_DRIVER_VERSION", "13000"));
    all.devices = visible_devices();
    all.kill_at = std::atoi(variable("SAGEJIT_STUB_KILL", "-1"));
    all.hang_at = std::atoi(variable("SAGEJIT_STUB_HANG", "-1"));
    if (all.devices.empty()) return CUDA_ERROR_NO_DEVICE;
    if (const char* trace = std::getenv("SAGEJIT_STUB_TRACE")) {
        all.trace = open(trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    // No context of the parent lives in a child.
    pthread_atfork(nullptr, nullptr, [] { state().forked = true; });
    all.initialised = true;
    return CUDA_SUCCESS;
}

}  // namespace sagejit::stub
