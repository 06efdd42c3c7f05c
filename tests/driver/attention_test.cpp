// The call for the impatient on GPUs: which one, what it asks of the driver, capture.
#include "sagejit/attention.h"

#include <catch2/catch.hpp>
#include <thread>

#include "attention_fixture.h"
#include "sagejit/stream.h"
#include "stub.h"
#include "unit/error_of.h"

using namespace sagejit;
using namespace sagejit::test;

namespace {

const Shape kShape = {1, 4, 2, 100, 150};

CUcontext current_context() {
    CUcontext context = nullptr;
    driver_api().ctx_get_current(&context);
    return context;
}

// The stub runs nothing.
void check_output(const AttentionTensors& tensors) {
    if (stub_controls() != nullptr) return;
    const Metrics metrics = tensors.compare_output(tensors.exact(CausalMode::kNone, 0.125));
    CHECK(metrics.rel_l1 < 0.03);
    CHECK(metrics.mismatched_nonfinite == 0);
}

struct Capture {
    explicit Capture(const Stream& stream) : handle(static_cast<CUstream>(stream.handle())) {
        REQUIRE(SAGEJIT_DRIVER_CALL(cuStreamBeginCapture)(handle, CU_STREAM_CAPTURE_MODE_GLOBAL) ==
                CUDA_SUCCESS);
    }
    CUgraph end() const {
        CUgraph graph = nullptr;
        REQUIRE(SAGEJIT_DRIVER_CALL(cuStreamEndCapture)(handle, &graph) == CUDA_SUCCESS);
        return graph;
    }
    CUstream handle;
};

}  // namespace

TEST_CASE("attention runs where the tensors are", "[driver][gpu]") {
    need_gpus(1);
    const AttentionTensors t(Device::cuda(0), kShape, 64, 64);
    std::thread([&] {  // one without a context, and it stays so
        attention(t.q, t.k, t.v, t.out);
        CHECK(current_context() == nullptr);
    })
        .join();
    check_output(t);
    const Stream stream(Device::cuda(0));
    attention(t.q, t.k, t.v, t.out, {}, stream.handle());
    stream.synchronize();
    check_output(t);
    CHECK(prepare_attention(t.q, t.k, t.v, t.out).device().text() == "cuda:0");

    // The CPU's memory is the host device's, GPU or not.
    const AttentionTensors host(Device::host(), {1, 1, 1, 2, 3}, 32, 32);
    CHECK(prepare_attention(host.q, host.k, host.v, host.out).device().is_host());
}

TEST_CASE("each GPU gets its own kernel", "[driver][gpu]") {
    need_gpus(2);
    for (const int ordinal : {1, 0, 1}) {
        const AttentionTensors t(Device::cuda(ordinal), kShape, 64, 64);
        attention(t.q, t.k, t.v, t.out);
        check_output(t);
        const Kernel kernel = prepare_attention(t.q, t.k, t.v, t.out);
        CHECK(kernel.device().ordinal() == ordinal);
        CHECK(kernel.plan().target == Device::cuda(ordinal).target_for(kernel.plan().spec));
    }
}

TEST_CASE("tensors in two places are refused unless a device is named", "[driver][gpu]") {
    need_gpus(1);
    const AttentionTensors gpu(Device::cuda(0), kShape, 64, 64),
        host(Device::host(), kShape, 64, 64);
    const Error error = error_of([&] { attention(gpu.q, host.k, gpu.v, gpu.out); });
    CHECK(error.code() == ErrorCode::kInvalidArgument);
    CHECK(error.where() == "k");
    CHECK_THAT(error.message(), Catch::Contains("host") && Catch::Contains("q in that of cuda:0"));
    AttentionOptions options;
    options.lse = host.lse;
    CHECK(error_of([&] { attention(gpu.q, gpu.k, gpu.v, gpu.out, options); }).where() == "lse");
    options = {};
    options.device = Device::cuda(0);
    CHECK(prepare_attention(gpu.q, host.k, gpu.v, gpu.out, options).device().ordinal() == 0);
}

TEST_CASE("a second call only launches", "[driver]") {
    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    const AttentionTensors t(Device::cuda(0), kShape, 64, 64);
    const Stream stream(Device::cuda(0));
    attention(t.q, t.k, t.v, t.out, {}, stream.handle());
    const size_t libraries = stub->loaded_libraries(), allocations = stub->live_allocations(0);
    stub->reset();
    attention(t.q, t.k, t.v, t.out, {}, stream.handle());
    CHECK(stub->launches() >= 2);
    CHECK(stub->calls("cuMemAllocAsync") == 1);
    CHECK(stub->calls("cuMemFreeAsync") == 1);
    for (const char* function :
         {"cuStreamSynchronize", "cuCtxSynchronize", "cuMemAlloc", "cuMemFree", "cuCtxSetCurrent",
          "cuLibraryLoadData", "cuDeviceGetAttribute"}) {
        INFO(function);
        CHECK(stub->calls(function) == 0);
    }
    CHECK(stub->loaded_libraries() == libraries);
    CHECK(stub->live_allocations(0) == allocations);
    for (size_t i = 0; i < stub->launches(); ++i) {
        stub::Launch launch;
        REQUIRE(stub->launch(i, &launch));
        CHECK(launch.stream == stream.handle());
    }
}

TEST_CASE("a prepared call can be captured, workspace and all", "[driver][gpu]") {
    need_gpus(1);
    const AttentionTensors t(Device::cuda(0), kShape, 64, 64);
    prepare_attention(t.q, t.k, t.v, t.out);
    const Stream stream(Device::cuda(0));
    const Capture capture(stream);
    attention(t.q, t.k, t.v, t.out, {}, stream.handle());
    const CUgraph graph = capture.end();
    CUgraphExec exec = nullptr;
    REQUIRE(instantiate(&exec, graph) == CUDA_SUCCESS);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(SAGEJIT_DRIVER_CALL(cuGraphLaunch)(exec, capture.handle) == CUDA_SUCCESS);
    }
    stream.synchronize();
    check_output(t);
    CHECK(SAGEJIT_DRIVER_CALL(cuGraphExecDestroy)(exec) == CUDA_SUCCESS);
    CHECK(SAGEJIT_DRIVER_CALL(cuGraphDestroy)(graph) == CUDA_SUCCESS);
}

TEST_CASE("a cold call inside a capture is refused and leaves it valid", "[driver][gpu]") {
    need_gpus(1);
    const AttentionTensors t(Device::cuda(0), kShape, 64, 64);
    const Stream stream(Device::cuda(0));
    const Capture capture(stream);
    const Error error = error_of([&] { attention(t.q, t.k, t.v, t.out, {}, stream.handle()); });
    CHECK(error.code() == ErrorCode::kNotPrepared);
    CHECK_THAT(error.fix(), Catch::Contains("prepare_attention"));
    const CUgraph graph = capture.end();
    size_t nodes = 1;
    REQUIRE(SAGEJIT_DRIVER_CALL(cuGraphGetNodes)(graph, nullptr, &nodes) == CUDA_SUCCESS);
    CHECK(nodes == 0);
    CHECK(SAGEJIT_DRIVER_CALL(cuGraphDestroy)(graph) == CUDA_SUCCESS);
    attention(t.q, t.k, t.v, t.out, {}, stream.handle());
    stream.synchronize();
    check_output(t);
}

TEST_CASE("failures of the driver in attention are typed, and leave nothing behind", "[driver]") {
    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    const AttentionTensors t(Device::cuda(0), kShape, 64, 64);
    const auto call = [&] { attention(t.q, t.k, t.v, t.out); };
    call();
    const size_t allocations = stub->live_allocations(0);

    stub->fail("cuMemAllocAsync", CUDA_ERROR_OUT_OF_MEMORY, 0, 1);
    Error error = error_of(call);
    CHECK(error.code() == ErrorCode::kLaunchFailed);
    CHECK_THAT(error.what(), Catch::Contains("CUDA_ERROR_OUT_OF_MEMORY") &&
                                 Catch::Contains("bytes of workspace"));
    stub->fail("cuMemAllocAsync", CUDA_ERROR_NOT_SUPPORTED, 0, 1);
    CHECK_THAT(error_of(call).fix(), Catch::Contains("workspace of your own"));
    stub->fail("cuLaunchKernelEx", CUDA_ERROR_ILLEGAL_ADDRESS, 1, 1);
    CHECK(error_of(call).code() == ErrorCode::kLaunchFailed);
    stub->fail("cuPointerGetAttribute", CUDA_ERROR_ILLEGAL_ADDRESS, 0, 1);
    CHECK_THAT(error_of(call).what(), Catch::Contains("cuPointerGetAttribute"));
    CHECK(stub->live_allocations(0) == allocations);

    // A thread whose driver wants a context to ask in.
    stub->fail("cuPointerGetAttribute", CUDA_ERROR_INVALID_CONTEXT, 0, 1);
    call();

    // A kernel that could not be prepared can be, later.
    AttentionOptions other;
    other.causal = CausalMode::kTopLeft;
    stub->fail("cuLibraryLoadData", CUDA_ERROR_OUT_OF_MEMORY, 0, 1);
    CHECK(error_of([&] { attention(t.q, t.k, t.v, t.out, other); }).code() ==
          ErrorCode::kLaunchFailed);
    attention(t.q, t.k, t.v, t.out, other);
}
