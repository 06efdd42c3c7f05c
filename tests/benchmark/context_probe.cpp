// What a driver makes of a launch where another context than the kernel's is current, or none:
// docs/decisions/0029-launch-first.md. For a machine with a GPU, two if there are; needs nothing
// but the driver, and prints a line a case. "ran" counts runs of the kernel.
#include <cuda.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

template <typename Function>
Function* driver_symbol(const char* name) {
    static void* const library = dlopen("libcuda.so.1", RTLD_NOW);
    void* const symbol = library != nullptr ? dlsym(library, name) : nullptr;
    if (symbol == nullptr) {
        std::printf("no %s\n", name);
        std::exit(1);
    }
    return reinterpret_cast<Function*>(symbol);
}
#define CALL(function) driver_symbol<decltype(::function)>(#function)

std::string name_of(CUresult result) {
    const char* name = nullptr;
    CALL(cuGetErrorName)(result, &name);
    return name != nullptr ? name : std::to_string(result);
}

void need(CUresult result, const char* what) {
    if (result == CUDA_SUCCESS) return;
    std::printf("%s: %s\n", what, name_of(result).c_str());
    std::exit(1);
}
#define NEED(function, ...) need(CALL(function)(__VA_ARGS__), #function)

// bump adds one to a counter; stop ends its context.
constexpr const char* kCode = R"(.version 7.0
.target sm_80
.address_size 64
.visible .entry bump(.param .u64 p) {
  .reg .u64 %a; .reg .u32 %v;
  ld.param.u64 %a, [p];
  atom.global.add.u32 %v, [%a], 1;
  ret;
}
.visible .entry stop(.param .u64 p) {
  trap;
})";

struct NamedContext {
    const char* name;
    CUcontext context;
};
struct NamedStream {
    const char* name;
    CUstream stream;
};

void make_current(CUcontext context) { NEED(cuCtxSetCurrent, context); }

CUstream create_stream(CUcontext context, unsigned flags) {
    make_current(context);
    CUstream stream = nullptr;
    NEED(cuStreamCreate, &stream, flags);
    return stream;
}

class Probe {
  public:
    Probe() {
        NEED(cuInit, 0);
        int version = 0, devices = 0;
        char gpu[100];
        NEED(cuDriverGetVersion, &version);
        NEED(cuDeviceGetCount, &devices);
        NEED(cuDeviceGetName, gpu, sizeof gpu, 0);
        std::printf("%s, driver %d, %d devices\n", gpu, version, devices);
        NEED(cuDevicePrimaryCtxRetain, &primary_, 0);
        need(driver_symbol<CUresult(CUcontext*, unsigned, CUdevice)>("cuCtxCreate_v2")(&foreign_, 0,
                                                                                       0),
             "cuCtxCreate");
        all_ = {{"primary", primary_}, {"none", nullptr}, {"foreign", foreign_}};
        if (devices > 1) {
            CUcontext second = nullptr;
            NEED(cuDevicePrimaryCtxRetain, &second, 1);
            all_.push_back({"device 1", second});
        }
        make_current(primary_);
        NEED(cuLibraryLoadData, &library_, kCode, nullptr, nullptr, 0, nullptr, nullptr, 0);
        bump_ = function("bump");
        NEED(cuMemAlloc_v2, &counter_, 4);
        NEED(cuMemsetD32_v2, counter_, 0, 1);
        stream_ = create_stream(primary_, CU_STREAM_NON_BLOCKING);
        streams_ = {{"own", stream_},
                    {"own blocking", create_stream(primary_, 0)},
                    {"null", nullptr},
                    {"legacy", CU_STREAM_LEGACY},
                    {"per thread", CU_STREAM_PER_THREAD}};
        for (const NamedContext& each : all_) {
            if (each.context == nullptr || each.context == primary_) continue;
            streams_.push_back({each.name, create_stream(each.context, CU_STREAM_NON_BLOCKING)});
        }
    }

    void launches() {
        for (const NamedContext& current : all_) {
            for (const NamedStream& stream : streams_) {
                const unsigned before = count();
                make_current(current.context);
                const CUresult result = launch(bump_, stream.stream);
                CUcontext after = nullptr;
                NEED(cuCtxGetCurrent, &after);
                std::printf("current %-9s stream %-13s: %s, ran %u, current %s\n", current.name,
                            stream.name, name_of(result).c_str(), count() - before,
                            after == current.context ? "kept" : "CHANGED");
            }
        }
    }

    // Whether a launch, refused or not, is of harm to a capture: of a stream of the kernel's
    // context, and of one of the context that is current, which a default stream may wait for.
    void captures() {
        for (const NamedContext& current : all_) {
            for (const NamedContext& of : all_) {
                if (of.context == nullptr) continue;
                if (of.context != primary_ && of.context != current.context) continue;
                for (const unsigned flags : {CU_STREAM_NON_BLOCKING, CU_STREAM_DEFAULT}) {
                    for (const NamedStream& stream : streams_) {
                        capture(current, of, flags, stream, CU_STREAM_CAPTURE_MODE_GLOBAL);
                        capture(current, of, flags, stream, CU_STREAM_CAPTURE_MODE_RELAXED);
                    }
                    const NamedStream itself = {"itself", nullptr};
                    capture(current, of, flags, itself, CU_STREAM_CAPTURE_MODE_GLOBAL);
                }
            }
        }
    }

    // What a kernel that failed in a foreign context is to launches in the primary one. Last:
    // nothing else works in the foreign context after it.
    void failed_context() {
        make_current(foreign_);
        const CUfunction stop = function("stop");
        need(launch(stop, nullptr), "launch of stop");
        std::printf("foreign context failed: %s\n", name_of(CALL(cuCtxSynchronize)()).c_str());
        for (const CUcontext current : {foreign_, static_cast<CUcontext>(nullptr), primary_}) {
            make_current(current);
            const CUresult result = launch(bump_, stream_);
            make_current(primary_);
            const CUresult waited = CALL(cuCtxSynchronize)();
            std::printf("then, current %s: own stream %s, waited %s\n",
                        current == foreign_  ? "foreign"
                        : current == nullptr ? "none"
                                             : "primary",
                        name_of(result).c_str(), name_of(waited).c_str());
        }
    }

  private:
    CUfunction function(const char* name) const {
        CUkernel kernel = nullptr;
        CUfunction function = nullptr;
        NEED(cuLibraryGetKernel, &kernel, library_, name);
        NEED(cuKernelGetFunction, &function, kernel);
        NEED(cuFuncLoad, function);
        return function;
    }

    CUresult launch(CUfunction function, CUstream stream) {
        CUlaunchConfig config{};
        config.gridDimX = config.gridDimY = config.gridDimZ = 1;
        config.blockDimX = config.blockDimY = config.blockDimZ = 1;
        config.hStream = stream;
        void* parameters[] = {&counter_};
        return CALL(cuLaunchKernelEx)(&config, function, parameters, nullptr);
    }

    // After all work, of every context.
    unsigned count() const {
        for (const NamedContext& each : all_) {
            if (each.context == nullptr) continue;
            make_current(each.context);
            NEED(cuCtxSynchronize);
        }
        make_current(primary_);
        unsigned value = 0;
        NEED(cuMemcpyDtoH_v2, &value, counter_, sizeof value);
        return value;
    }

    void capture(const NamedContext& current, const NamedContext& of, unsigned flags,
                 const NamedStream& stream, CUstreamCaptureMode mode) {
        CUstream captured = create_stream(of.context, flags);
        NEED(cuStreamBeginCapture_v2, captured, mode);
        make_current(current.context);
        const bool is_itself = std::string(stream.name) == "itself";
        const CUresult result = launch(bump_, is_itself ? captured : stream.stream);
        make_current(of.context);
        CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
        const CUresult asked = CALL(cuStreamIsCapturing)(captured, &status);
        CUgraph graph = nullptr;
        const CUresult end = CALL(cuStreamEndCapture)(captured, &graph);
        std::printf(
            "capture (mode %d) of a %s stream of %-8s, current %-8s, launch on %-12s: %s; status "
            "%d "
            "(%s), end %s\n",
            mode, flags == CU_STREAM_DEFAULT ? "blocking" : "non-blocking", of.name, current.name,
            stream.name, name_of(result).c_str(), status, name_of(asked).c_str(),
            name_of(end).c_str());
        if (graph != nullptr) NEED(cuGraphDestroy, graph);
        NEED(cuStreamDestroy_v2, captured);
        count();
    }

    CUcontext primary_ = nullptr, foreign_ = nullptr;
    CUlibrary library_ = nullptr;
    CUfunction bump_ = nullptr;
    CUdeviceptr counter_ = 0;
    CUstream stream_ = nullptr;
    std::vector<NamedContext> all_;
    std::vector<NamedStream> streams_;
};

}  // namespace

int main() {
    Probe probe;
    probe.launches();
    probe.captures();
    probe.failed_context();
    return 0;
}
