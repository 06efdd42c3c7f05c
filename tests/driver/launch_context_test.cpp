// Where a launch goes, by the context that is current and by the stream: there at once, there by a
// second try in the GPU's context, or nowhere.
#include <atomic>
#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "attention_fixture.h"
#include "host/process.h"
#include "problem.h"
#include "sagejit/attention.h"
#include "sagejit/phases.h"
#include "sagejit/registry.h"
#include "sagejit/stream.h"
#include "stub.h"
#include "unit/error_of.h"

using namespace sagejit;
using namespace sagejit::test;
using Catch::Matchers::Contains;

namespace {

CUcontext current_context() {
    CUcontext context = nullptr;
    driver_api().ctx_get_current(&context);
    return context;
}

// A context (null: none) that is current for a scope in a thread that has none, and is seen to stay
// so.
class Current {
  public:
    explicit Current(CUcontext context) : context_(context) {
        REQUIRE(current_context() == nullptr);
        if (context != nullptr) {
            REQUIRE(driver_api().ctx_push_current(context) == CUDA_SUCCESS);
        }
    }
    ~Current() {
        CHECK(current_context() == context_);
        CUcontext popped = nullptr;
        if (context_ != nullptr) driver_api().ctx_pop_current(&popped);
    }
    Current(const Current&) = delete;
    Current& operator=(const Current&) = delete;

  private:
    CUcontext context_;
};

// Another context of GPU 0, as an application may make one.
CUcontext create_context() {
    using CtxCreate = CUresult (*)(CUcontext*, unsigned, CUdevice);
    constexpr int kVersion = 3020;  // whose form has these parameters
    CUcontext made = nullptr, popped = nullptr;
    REQUIRE(driver_function("cuCtxCreate", static_cast<CtxCreate>(nullptr), kVersion)(
                &made, 0, device_handle(0)) == CUDA_SUCCESS);
    REQUIRE(driver_api().ctx_pop_current(&popped) == CUDA_SUCCESS);
    return made;
}

CUstream create_stream(CUcontext context, unsigned flags = CU_STREAM_NON_BLOCKING) {
    const ScopedContext scope(driver_api(), context);
    CUstream made = nullptr;
    REQUIRE(driver_api().stream_create(&made, flags) == CUDA_SUCCESS);
    return made;
}

struct NamedContext {
    std::string name;
    CUcontext context;
};

struct NamedStream {
    std::string name;
    CUstream stream;
    bool is_own;      // of GPU 0's primary context, whatever is current
    bool is_default;  // of the context that is current, but of GPU 0's for sagejit
};

// What a kernel of GPU 0 may find current, and be given as a stream.
struct Places {
    Places() {
        foreign = create_context();
        contexts = {{"own", primary_context(0)}, {"none", nullptr}, {"foreign", foreign}};
        streams = {{"own", create_stream(primary_context(0)), true, false},
                   {"own, blocking", create_stream(primary_context(0), 0), true, false},
                   {"null", nullptr, false, true},
                   {"legacy", CU_STREAM_LEGACY, false, true},
                   {"per thread", CU_STREAM_PER_THREAD, false, true},
                   {"of foreign", create_stream(foreign), false, false}};
        if (gpu_count() > 1) {
            contexts.push_back({"other GPU's", primary_context(1)});
            streams.push_back({"of other GPU", create_stream(primary_context(1)), false, false});
        }
    }

    CUcontext foreign = nullptr;
    std::vector<NamedContext> contexts;
    std::vector<NamedStream> streams;
};

struct Problem {
    explicit Problem(const Device& the_device = Device::cuda(0))
        : device(the_device),
          kernel(prepare(small_spec(), device)),
          tensors(device, kernel.plan()),
          steps(launch_steps(kernel.plan(), shape_of(tensors.arguments())).size()) {}

    void launch(void* stream, Phase phase = Phase::kWholeCall) const {
        KernelPhases::launch(kernel, phase, tensors.arguments(), tensors.workspace(),
                             tensors.workspace_bytes(), stream);
    }

    Device device;
    Kernel kernel;
    DeviceProblem tensors;
    size_t steps;
};

// What is recorded are `count` launches on that GPU and stream.
void check_recorded(const stub::Controls& stub, size_t count, int device, void* stream) {
    REQUIRE(stub.launches() == count);
    for (size_t i = 0; i < count; ++i) {
        stub::Launch launch;
        REQUIRE(stub.launch(i, &launch));
        CHECK(launch.device == device);
        CHECK(launch.stream == stream);
    }
}

// A capture of a stream for a scope that ends it by hand.
class Capture {
  public:
    Capture(CUcontext context, CUstream stream, CUstreamCaptureMode mode)
        : context_(context), stream_(stream) {
        const ScopedContext scope(driver_api(), context_);
        REQUIRE(SAGEJIT_DRIVER_CALL(cuStreamBeginCapture)(stream, mode) == CUDA_SUCCESS);
    }
    // How many launches it has; -1 where it was spoilt.
    int end() {
        const ScopedContext scope(driver_api(), context_);
        CUgraph graph = nullptr;
        if (SAGEJIT_DRIVER_CALL(cuStreamEndCapture)(stream_, &graph) != CUDA_SUCCESS) return -1;
        size_t nodes = 0;
        REQUIRE(SAGEJIT_DRIVER_CALL(cuGraphGetNodes)(graph, nullptr, &nodes) == CUDA_SUCCESS);
        CHECK(SAGEJIT_DRIVER_CALL(cuGraphDestroy)(graph) == CUDA_SUCCESS);
        return static_cast<int>(nodes);
    }

  private:
    CUcontext context_;
    CUstream stream_;
};

// A launch as it reached the driver, to be handed to it again.
struct Handed {
    CUlaunchConfig config;
    CUfunction function;
    void** parameters;
};

// The first step of the call. The problem has to outlive it.
Handed first_handed(const Problem& problem, void* stream) {
    static std::optional<Handed> first;
    static decltype(&::cuLaunchKernelEx) real = nullptr;
    first.reset();
    auto& api = const_cast<DriverApi&>(driver_api());
    real = api.launch_kernel_ex;
    api.launch_kernel_ex = [](const CUlaunchConfig* config, CUfunction function, void** parameters,
                              void** extra) {
        if (!first) first = Handed{*config, function, parameters};
        return real(config, function, parameters, extra);
    };
    problem.launch(stream);
    api.launch_kernel_ex = real;
    REQUIRE(first.has_value());
    return *first;
}

constexpr CUresult kOfContexts[] = {CUDA_ERROR_INVALID_CONTEXT, CUDA_ERROR_INVALID_HANDLE,
                                    CUDA_ERROR_CONTEXT_IS_DESTROYED, CUDA_ERROR_NOT_INITIALIZED,
                                    CUDA_ERROR_DEINITIALIZED};

}  // namespace

TEST_CASE("a driver holds a function's context against the stream's, and asks no other",
          "[driver][gpu]") {
    need_gpus(1);
    const stub::Controls* stub = stub_controls();
    const Places places;
    const Problem problem;
    Handed handed = first_handed(problem, places.streams.front().stream);
    for (const NamedContext& each : places.contexts) {
        for (const NamedStream& stream : places.streams) {
            INFO(each.name + " current; stream " + stream.name);
            CUresult expected = CUDA_SUCCESS;
            if (!stream.is_own && each.context != primary_context(0)) {
                expected = stream.is_default && each.context == nullptr ? CUDA_ERROR_INVALID_CONTEXT
                                                                        : CUDA_ERROR_INVALID_HANDLE;
            } else if (!stream.is_own && !stream.is_default) {
                expected = CUDA_ERROR_INVALID_HANDLE;
            }
            handed.config.hStream = stream.stream;
            const Current current(each.context);
            if (stub != nullptr) stub->reset();
            const CUresult result = driver_api().launch_kernel_ex(&handed.config, handed.function,
                                                                  handed.parameters, nullptr);
            if (stub == nullptr) {  // others may refuse by other codes
                CHECK((result == CUDA_SUCCESS) == (expected == CUDA_SUCCESS));
            } else {
                CHECK(result == expected);
                check_recorded(*stub, expected == CUDA_SUCCESS ? 1 : 0, 0, stream.stream);
            }
        }
    }
}

TEST_CASE("a launch goes to its GPU, whatever is current", "[driver][gpu]") {
    need_gpus(1);
    const stub::Controls* stub = stub_controls();
    const Places places;
    const Problem problem;
    problem.launch(nullptr);  // encodes a map of V, in a context
    // Each after each: what one call left behind is of no harm to the next.
    for (const NamedContext& before : places.contexts) {
        for (const NamedContext& now : places.contexts) {
            for (const NamedStream& stream : places.streams) {
                for (const Phase phase : {Phase::kWholeCall, Phase::kAttention}) {
                    INFO(before.name + " current, then " + now.name + "; stream " + stream.name);
                    const bool works = stream.is_own || stream.is_default;
                    const size_t steps = phase == Phase::kWholeCall ? problem.steps : 1;
                    for (const NamedContext& each : {before, now}) {
                        const bool is_own = each.context == primary_context(0);
                        const Current current(each.context);
                        if (stub != nullptr) stub->reset();
                        if (works) {
                            problem.launch(stream.stream, phase);
                        } else {
                            const Error error =
                                error_of([&] { problem.launch(stream.stream, phase); });
                            CHECK(error.code() == ErrorCode::kLaunchFailed);
                            if (stub != nullptr) {
                                CHECK_THAT(error.what(), Contains("CUDA_ERROR_INVALID_HANDLE"));
                            }
                        }
                        if (stub == nullptr) continue;
                        check_recorded(*stub, works ? steps : 0, 0, stream.stream);
                        // Refused once where it cannot be for the context, else twice.
                        CHECK(stub->calls("cuLaunchKernelEx") == (works ? steps : is_own ? 1 : 2));
                        CHECK(stub->calls("cuCtxGetCurrent") == (stream.is_own ? 0 : 1));
                        const bool pushes = !stream.is_own && !is_own;
                        CHECK(stub->calls("cuCtxPushCurrent") == (pushes ? 1 : 0));
                    }
                }
            }
        }
    }
}

TEST_CASE("kernels of two GPUs take turns in one thread", "[driver][gpu]") {
    need_gpus(2);
    const stub::Controls* stub = stub_controls();
    const Problem problems[] = {Problem(Device::cuda(0)), Problem(Device::cuda(1))};
    const Stream streams[] = {Stream(Device::cuda(0)), Stream(Device::cuda(1))};
    for (CUcontext context : {static_cast<CUcontext>(nullptr), primary_context(0),
                              primary_context(1), primary_context(0)}) {
        for (int i = 0; i < 4; ++i) {
            const Current current(context);
            const int ordinal = i % 2;
            for (void* stream : {streams[ordinal].handle(), static_cast<void*>(nullptr),
                                 streams[ordinal].handle()}) {
                if (stub != nullptr) stub->reset();
                problems[ordinal].launch(stream);
                if (stub == nullptr) continue;
                check_recorded(*stub, problems[ordinal].steps, ordinal, stream);
            }
            const Error error =
                error_of([&] { problems[ordinal].launch(streams[1 - ordinal].handle()); });
            CHECK(error.code() == ErrorCode::kLaunchFailed);
        }
    }
}

TEST_CASE("a driver that wants the GPU's context current gets it", "[driver]") {
    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    const Places places;
    const Problem problem;
    const Stream stream(problem.device);
    for (const CUresult refusal : kOfContexts) {
        for (const NamedContext& each : places.contexts) {
            for (const Phase phase : {Phase::kWholeCall, Phase::kAttention}) {
                INFO(each.name + " current, refused by " + std::to_string(refusal));
                const size_t steps = phase == Phase::kWholeCall ? problem.steps : 1;
                const bool is_own = each.context == primary_context(0);
                const Current current(each.context);
                stub->reset();
                stub->fail("cuLaunchKernelEx", refusal, 0, 1);
                if (is_own) {
                    const Error error = error_of([&] { problem.launch(stream.handle(), phase); });
                    CHECK(error.code() == ErrorCode::kLaunchFailed);
                    CHECK_THAT(error.what(), Contains(driver_api().describe(refusal)));
                } else {
                    problem.launch(stream.handle(), phase);
                }
                check_recorded(*stub, is_own ? 0 : steps, 0, stream.handle());
                CHECK(stub->calls("cuLaunchKernelEx") == (is_own ? 1 : steps + 1));
            }
        }
    }
}

TEST_CASE("an error that is not a context's is passed on at once", "[driver]") {
    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    const Places places;
    const Problem problem;
    const Stream stream(problem.device);
    REQUIRE(problem.steps > 1);
    for (const NamedContext& each : places.contexts) {
        INFO(each.name);
        const Current current(each.context);
        // Of work before: a launch after it may not be tried again.
        for (const CUresult refusal :
             {CUDA_ERROR_ILLEGAL_ADDRESS, CUDA_ERROR_LAUNCH_FAILED, CUDA_ERROR_OUT_OF_MEMORY,
              CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED}) {
            stub->reset();
            stub->fail("cuLaunchKernelEx", refusal, 0, 1);
            const Error error = error_of([&] { problem.launch(stream.handle()); });
            CHECK_THAT(error.what(), Contains(driver_api().describe(refusal)));
            CHECK(stub->calls("cuLaunchKernelEx") == 1);
            CHECK(stub->launches() == 0);
        }
        // Of a later step: the first has been launched, and is not again.
        for (const CUresult refusal : kOfContexts) {
            stub->reset();
            stub->fail("cuLaunchKernelEx", refusal, 1, 1);
            const Error error = error_of([&] { problem.launch(stream.handle()); });
            CHECK_THAT(error.what(), Contains(driver_api().describe(refusal)));
            CHECK(stub->calls("cuLaunchKernelEx") == 2);
            check_recorded(*stub, 1, 0, stream.handle());
        }
        // One that stays: two tries at most.
        stub->reset();
        stub->fail("cuLaunchKernelEx", CUDA_ERROR_INVALID_HANDLE, 0, 100);
        CHECK(error_of([&] { problem.launch(stream.handle()); }).code() ==
              ErrorCode::kLaunchFailed);
        CHECK(stub->calls("cuLaunchKernelEx") <= 2);
        stub->reset();
        problem.launch(stream.handle());
        check_recorded(*stub, problem.steps, 0, stream.handle());
    }
}

TEST_CASE("captures stay whole, whatever is current", "[driver][gpu]") {
    need_gpus(1);
    const stub::Controls* stub = stub_controls();
    const Places places;
    const Problem problem;
    const CUcontext own = primary_context(0);
    for (const NamedContext& each : places.contexts) {
        for (const CUstreamCaptureMode mode :
             {CU_STREAM_CAPTURE_MODE_GLOBAL, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL,
              CU_STREAM_CAPTURE_MODE_RELAXED}) {
            INFO(each.name + ", mode " + std::to_string(mode));
            for (const NamedStream& stream : places.streams) {
                if (!stream.is_own) continue;
                INFO("stream " + stream.name);
                Capture capture(own, stream.stream, mode);
                if (stub != nullptr) stub->reset();
                {
                    const Current current(each.context);
                    problem.launch(stream.stream);
                    problem.launch(stream.stream);
                }
                CHECK(capture.end() == static_cast<int>(2 * problem.steps));
                if (stub == nullptr) continue;
                check_recorded(*stub, 2 * problem.steps, 0, stream.stream);
                CHECK(stub->calls("cuLaunchKernelEx") == 2 * problem.steps);
            }
        }
    }
}

TEST_CASE("a launch on a default stream leaves captures of other contexts alone", "[driver]") {
    REQUIRE(stub_controls() != nullptr);
    const Places places;
    const Problem problem;
    for (const NamedContext& each : places.contexts) {
        if (each.context == nullptr || each.context == primary_context(0)) continue;
        INFO(each.name);
        // One that the default stream of its context would wait for.
        CUstream blocking = create_stream(each.context, 0);
        for (const NamedStream& stream : places.streams) {
            if (!stream.is_default) continue;
            INFO("stream " + stream.name);
            Capture capture(each.context, blocking, CU_STREAM_CAPTURE_MODE_RELAXED);
            {
                const Current current(each.context);
                problem.launch(stream.stream);
                problem.launch(stream.stream);
            }
            CHECK(capture.end() == 0);
        }
    }
}

TEST_CASE("the handle of a stream that is gone is trusted no longer", "[driver]") {
    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    const Problem problem;
    const CUcontext own = primary_context(0), foreign = create_context();
    stub->reuse_streams(true);
    for (CUcontext current_one : {own, static_cast<CUcontext>(nullptr), foreign}) {
        CUstream stream = create_stream(own);
        const auto launches = [&] {
            const Current current(current_one);
            stub->reset();
            problem.launch(stream);
            check_recorded(*stub, problem.steps, 0, stream);
        };
        const auto refuses = [&] {
            const Current current(current_one);
            stub->reset();
            CHECK(error_of([&] { problem.launch(stream); }).code() == ErrorCode::kLaunchFailed);
            CHECK(stub->launches() == 0);
        };
        launches();
        REQUIRE(driver_api().stream_destroy(stream) == CUDA_SUCCESS);
        refuses();
        REQUIRE(create_stream(foreign) == stream);
        refuses();
        REQUIRE(driver_api().stream_destroy(stream) == CUDA_SUCCESS);
        REQUIRE(create_stream(own) == stream);
        launches();
        REQUIRE(driver_api().stream_destroy(stream) == CUDA_SUCCESS);
    }
    stub->reuse_streams(false);
}

TEST_CASE("workspace is its GPU's, whatever is current", "[driver]") {
    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    const Places places;
    const AttentionTensors t(Device::cuda(0), {1, 4, 2, 100, 150}, 64, 64);
    for (const NamedContext& each : places.contexts) {
        for (const NamedStream& stream : places.streams) {
            if (!stream.is_own && !stream.is_default) continue;
            INFO(each.name + " current; stream " + stream.name);
            const Current current(each.context);
            attention(t.q, t.k, t.v, t.out, {}, stream.stream);  // prepares
            const size_t before = stub->live_bytes(0), elsewhere = stub->live_bytes(1);
            stub->reset();
            stub->fail("cuMemFreeAsync", CUDA_ERROR_UNKNOWN, 0, 1);  // to find it
            attention(t.q, t.k, t.v, t.out, {}, stream.stream);
            CHECK(stub->live_bytes(0) > before);
            CHECK(stub->live_bytes(1) == elsewhere);
            check_recorded(*stub, stub->calls("cuLaunchKernelEx"), 0, stream.stream);
            CHECK(stub->launches() >= 2);
        }
    }
}

// In a process of its own, which loses the context for good.
TEST_CASE("launch after a reset", "[.]") {
    const Problem problem;
    const stub::Controls* stub = stub_controls();
    const auto reset = SAGEJIT_DRIVER_CALL(cuDevicePrimaryCtxReset);
    const Stream stream(problem.device);
    problem.launch(stream.handle());
    stub->reset();
    bool refused = reset(0) == CUDA_SUCCESS;
    const auto refuses = [&](void* where) {
        try {
            problem.launch(where);
        } catch (const Error& error) {
            refused &= error.code() == ErrorCode::kLaunchFailed;
            return;
        }
        refused = false;
    };
    refuses(stream.handle());
    refuses(nullptr);
    // Its successor, with a stream of that.
    CUcontext successor = nullptr;
    refused &= driver_api().device_primary_ctx_retain(&successor, device_handle(0)) == CUDA_SUCCESS;
    driver_api().ctx_push_current(successor);
    CUstream made = nullptr;
    refused &= driver_api().stream_create(&made, CU_STREAM_NON_BLOCKING) == CUDA_SUCCESS;
    refuses(made);
    refuses(nullptr);
    std::printf("after a reset: %s, %zu launched\n", refused ? "refused" : "NOT refused",
                stub->launches());
    std::fflush(stdout);
    std::_Exit(0);
}

TEST_CASE("a context that was reset is an error, not a launch", "[driver]") {
    const host::ProcessResult result =
        host::run_process({"/proc/self/exe", "launch after a reset"});
    CHECK(result.status == 0);
    CHECK_THAT(result.output, Contains("after a reset: refused, 0 launched"));
}

TEST_CASE("threads with contexts of their own launch one kernel at the same time", "[driver]") {
    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    const Places places;
    const Problem problem;
    problem.launch(nullptr);
    constexpr int kThreads = 8, kRounds = 100;
    std::atomic<size_t> launched = 0, refused = 0, wrong = 0;
    const auto work = [&](int thread) {
        const CUcontext context = places.contexts[thread % places.contexts.size()].context;
        if (context != nullptr) driver_api().ctx_push_current(context);
        for (int round = 0; round < kRounds; ++round) {
            const NamedStream& stream = places.streams[(thread + round) % places.streams.size()];
            const bool works = stream.is_own || stream.is_default;
            try {
                problem.launch(stream.stream);
                ++(works ? launched : wrong);
            } catch (const Error&) {
                ++(works ? wrong : refused);
            }
            if (current_context() != context) ++wrong;
        }
    };
    stub->reset();
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
    }
    CHECK(wrong == 0);
    CHECK(launched + refused == kThreads * kRounds);
    CHECK(stub->launches() == launched * problem.steps);
}
