// What reaches the driver, and what does not: steps, streams, contexts, capture.
#include "launch.h"

#include <catch2/catch.hpp>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "driver.h"
#include "problem.h"
#include "sagejit/phases.h"
#include "sagejit/registry.h"
#include "sagejit/stream.h"
#include "stub.h"
#include "unit/error_of.h"
#include "value_map.h"

using namespace sagejit;
using namespace sagejit::test;

namespace {

CUcontext current_context() {
    CUcontext context = nullptr;
    driver_api().ctx_get_current(&context);
    return context;
}

// Every byte of an output is 0 where V is, and 1 before.
bool is_written(const DeviceProblem& problem) {
    if (stub_controls() != nullptr) return true;  // the stub runs nothing
    for (const unsigned char byte : problem.output()) {
        if (byte != 0) return false;
    }
    return true;
}

}  // namespace

namespace {

// Launches once and checks what the driver was handed. encoded: tensor maps the call takes.
void check_handed(const Spec& spec, unsigned encoded) {
    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    const Device gpu = Device::cuda(0);
    const Kernel kernel = prepare(spec, gpu);
    const Shape shape = {2, 4, 2, 333, 555};
    const DeviceProblem problem(gpu, kernel.plan(), shape);
    const Stream stream(gpu);
    stub->reset();
    problem.launch(kernel, stream.handle());

    const LaunchSteps steps = launch_steps(kernel.plan(), shape);
    REQUIRE(stub->launches() == steps.size());
    const Workspace layout = make_workspace(kernel.plan(), shape);
    abi::Call call = make_call(problem.arguments(), shape, layout, problem.workspace());
    if (encoded > 0) set_tile_order(kernel.plan(), call);
    for (size_t i = 0; i < steps.size(); ++i) {
        stub::Launch launch;
        REQUIRE(stub->launch(i, &launch));
        CHECK(launch.kernel == steps[i].entry);
        CHECK(launch.device == 0);
        CHECK(launch.grid[0] == steps[i].ctas);
        CHECK(launch.grid[1] * launch.grid[2] == 1);
        CHECK(launch.block[0] == static_cast<unsigned>(steps[i].threads));
        CHECK(launch.shared_bytes == static_cast<unsigned>(steps[i].shared_bytes));
        CHECK(launch.attributes == (steps[i].may_overlap ? 1 : 0));
        CHECK(launch.overlaps == steps[i].may_overlap);
        CHECK(launch.stream == stream.handle());
        CHECK_FALSE(launch.captured);
        REQUIRE(launch.parameter_bytes == sizeof call);
        // What a map holds is the driver's affair.
        constexpr size_t kMap = offsetof(abi::Call, v_map);
        CHECK((std::memcmp(launch.parameter + kMap, &call.v_map, sizeof call.v_map) != 0) ==
              (encoded > 0));
        std::memcpy(&call.v_map, launch.parameter + kMap, sizeof call.v_map);
        CHECK(std::memcmp(launch.parameter, &call, sizeof call) == 0);
        if (encoded > 0) call.v_map = {};
    }
    CHECK(stub->calls("cuTensorMapEncodeTiled") == encoded);
    // Nothing but launches, and one question.
    CHECK(stub->all_calls() == steps.size() + encoded + stub->calls("cuCtxGetCurrent") +
                                   stub->calls("cuCtxPushCurrent") +
                                   stub->calls("cuCtxPopCurrent"));
    // The same tensors again need no other map.
    problem.launch(kernel, stream.handle());
    CHECK(stub->calls("cuTensorMapEncodeTiled") == encoded);
}

}  // namespace

TEST_CASE("a launch hands the driver the steps of the plan", "[driver]") {
    Spec spec = small_spec();
    spec.target = "sm_90";
    check_handed(spec, 0);
}

TEST_CASE("a wgmma launch hands the driver a map of V, and steps that overlap", "[driver]") {
    Spec spec = small_spec();
    spec.target = "sm_90a";
    check_handed(spec, 1);
    // Two launches, of which the second may begin while the first still runs, and no other.
    const LaunchSteps steps =
        launch_steps(make_plan(spec, find_target("sm_90a")), {2, 4, 2, 333, 555});
    REQUIRE(steps.size() == 2);
    CHECK_FALSE(steps[0].may_overlap);
    CHECK(steps[1].may_overlap);
}

TEST_CASE("every launch is on the stream it names, and attention alone overlaps nothing",
          "[driver]") {
    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    const Device gpu = Device::cuda(0);
    Spec spec = small_spec();
    spec.target = "sm_90a";
    const Kernel kernel = prepare(spec, gpu);
    const DeviceProblem problem(gpu, kernel.plan(), {2, 4, 2, 333, 555});
    const Stream first(gpu), second(gpu);
    // One call after the other, each like the one before but for its stream.
    for (void* stream : {first.handle(), second.handle(), first.handle(), first.handle(),
                         static_cast<void*>(nullptr), second.handle()}) {
        for (const Phase phase : {Phase::kWholeCall, Phase::kAttention}) {
            stub->reset();
            KernelPhases::launch(kernel, phase, problem.arguments(), problem.workspace(),
                                 problem.workspace_bytes(), stream);
            REQUIRE(stub->launches() == (phase == Phase::kWholeCall ? 2 : 1));
            for (size_t i = 0; i < stub->launches(); ++i) {
                stub::Launch launch;
                REQUIRE(stub->launch(i, &launch));
                CHECK(launch.stream == stream);
                CHECK(launch.overlaps == (i == 1));
            }
        }
    }
}

TEST_CASE("a persistent launch takes as many CTAs as run at once", "[driver]") {
    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    const Device gpu = Device::cuda(0);
    Spec spec = small_spec();
    spec.target = "sm_90a";
    const Kernel kernel = prepare(spec, gpu);
    const int tile_q = kernel.plan().tile_q;
    const int tile_k = kernel.plan().tile_k;
    const DeviceProblem problem(gpu, kernel.plan(), {4, 32, 32, 5 * tile_q, 9 * tile_k});
    stub->reset();
    problem.launch(kernel, nullptr);
    const auto multiprocessors = static_cast<unsigned>(gpu_info(0).multiprocessors);
    const auto quantizers = static_cast<unsigned>(kernel.plan().quant_ctas_per_sm);
    stub::Launch launch;
    REQUIRE(stub->launch(0, &launch));
    CHECK(launch.grid[0] == multiprocessors * quantizers);
    CHECK(launch.grid[0] < 4u * 32 * 9);
    REQUIRE(stub->launch(1, &launch));
    CHECK(launch.grid[0] == multiprocessors);
    CHECK(launch.grid[0] < 4u * 32 * 5);
    // In whole clusters.
    spec.cluster_q = 2;
    const Kernel pair = prepare(spec, gpu);
    const DeviceProblem paired(gpu, pair.plan(), {4, 32, 1, 5 * tile_q, 16});
    stub->reset();
    paired.launch(pair, nullptr);
    REQUIRE(stub->launch(1, &launch));
    CHECK(launch.grid[0] == static_cast<unsigned>(gpu_info(0).multiprocessors) / 2 * 2);
}

TEST_CASE("V that no map can describe is packed", "[driver]") {
    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    const Device gpu = Device::cuda(0);
    Spec spec = small_spec();
    spec.target = "sm_90a";
    const Kernel kernel = prepare(spec, gpu);
    const DeviceProblem problem(gpu, kernel.plan(), {2, 4, 2, 333, 555});
    const auto packed = [&](const Arguments& arguments) {
        stub->reset();
        kernel.launch(arguments, problem.workspace(), problem.workspace_bytes(), nullptr);
        stub::Launch launch;
        REQUIRE(stub->launch(1, &launch));
        int32_t flag = 0;
        std::memcpy(&flag, launch.parameter + offsetof(abi::Call, v_packed), sizeof flag);
        CHECK(stub->calls("cuTensorMapEncodeTiled") == (flag == 0 ? 1 : 0));
        // The map describes the caller's V, or the packed one in the workspace if it is read at
        // all.
        const void* mapped = nullptr;
        std::memcpy(&mapped, launch.parameter + offsetof(abi::Call, v_map), sizeof mapped);
        CHECK((mapped == arguments.v.data) == (flag == 0));
        CHECK(launch.overlaps);
        return flag;
    };
    Arguments arguments = problem.arguments();
    CHECK(packed(arguments) == 0);
    arguments.v.data = static_cast<char*>(arguments.v.data) + 2;  // not at 16 bytes
    CHECK(packed(arguments) == 1);
    arguments = problem.arguments();
    CHECK(packed(arguments) == 0);
    arguments.v.strides[1] = 0;  // one head for all
    CHECK(packed(arguments) == 1);
}

TEST_CASE("a thread without a context may prepare and launch", "[driver][gpu]") {
    need_gpus(1);
    const Device gpu = Device::cuda(0);
    bool had_context = true, has_context = true, written = false;
    std::thread([&] {
        had_context = current_context() != nullptr;
        const Kernel kernel = prepare(small_spec(), gpu);
        const DeviceProblem problem(gpu, kernel.plan());
        problem.launch(kernel);  // the null stream
        written = is_written(problem);
        has_context = current_context() != nullptr;
    }).join();
    CHECK_FALSE(had_context);
    CHECK(written);
    CHECK_FALSE(has_context);
}

TEST_CASE("a foreign context stays current", "[driver][gpu]") {
    need_gpus(1);
    using CtxCreate = CUresult (*)(CUcontext*, unsigned, CUdevice);
    constexpr int kVersion = 3020;  // whose form has these parameters
    const CtxCreate create =
        driver_function("cuCtxCreate", static_cast<CtxCreate>(nullptr), kVersion);
    const Device gpu = Device::cuda(0);
    CUcontext foreign = nullptr;
    REQUIRE(create(&foreign, 0, device_handle(0)) == CUDA_SUCCESS);
    REQUIRE(current_context() == foreign);
    {
        const Kernel kernel = prepare(small_spec(), gpu);
        CHECK(current_context() == foreign);
        const DeviceProblem problem(gpu, kernel.plan());
        const Stream stream(gpu);
        CHECK(current_context() == foreign);
        problem.launch(kernel, stream.handle());
        CHECK(current_context() == foreign);
        problem.launch(kernel);
        CHECK(current_context() == foreign);
        stream.synchronize();
        CHECK(is_written(problem));
    }
    CHECK(current_context() == foreign);
    CHECK(SAGEJIT_DRIVER_CALL(cuCtxDestroy)(foreign) == CUDA_SUCCESS);
}

TEST_CASE("launches can be captured and replayed", "[driver][gpu]") {
    need_gpus(1);
    const Device gpu = Device::cuda(0);
    const Kernel kernel = prepare(small_spec(), gpu);
    const DeviceProblem problem(gpu, kernel.plan());
    const Stream stream(gpu);
    const auto handle = static_cast<CUstream>(stream.handle());
    REQUIRE(SAGEJIT_DRIVER_CALL(cuStreamBeginCapture)(handle, CU_STREAM_CAPTURE_MODE_GLOBAL) ==
            CUDA_SUCCESS);
    problem.launch(kernel, stream.handle());
    CUgraph graph = nullptr;
    REQUIRE(SAGEJIT_DRIVER_CALL(cuStreamEndCapture)(handle, &graph) == CUDA_SUCCESS);
    size_t nodes = 0;
    REQUIRE(SAGEJIT_DRIVER_CALL(cuGraphGetNodes)(graph, nullptr, &nodes) == CUDA_SUCCESS);
    CHECK(nodes == launch_steps(kernel.plan(), shape_of(problem.arguments())).size());
    CUgraphExec exec = nullptr;
    REQUIRE(instantiate(&exec, graph) == CUDA_SUCCESS);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(SAGEJIT_DRIVER_CALL(cuGraphLaunch)(exec, handle) == CUDA_SUCCESS);
    }
    stream.synchronize();
    CHECK(is_written(problem));
    CHECK(SAGEJIT_DRIVER_CALL(cuGraphExecDestroy)(exec) == CUDA_SUCCESS);
    CHECK(SAGEJIT_DRIVER_CALL(cuGraphDestroy)(graph) == CUDA_SUCCESS);
}

TEST_CASE("what the driver refuses is a typed error", "[driver]") {
    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    const Device gpu = Device::cuda(0);
    std::optional<Kernel> held = prepare(small_spec(), gpu);
    const Kernel& kernel = *held;
    const DeviceProblem problem(gpu, kernel.plan());

    stub->fail("cuLaunchKernelEx", CUDA_ERROR_ILLEGAL_ADDRESS, 1, 1);
    const Error launch = error_of([&] { problem.launch(kernel); });
    CHECK(launch.code() == ErrorCode::kLaunchFailed);
    CHECK_THAT(launch.what(), Catch::Contains("CUDA_ERROR_ILLEGAL_ADDRESS"));
    const LaunchSteps steps = launch_steps(kernel.plan(), shape_of(problem.arguments()));
    CHECK_THAT(launch.where(), Catch::EndsWith(" " + std::string(steps[1].entry)));
    problem.launch(kernel);

    stub->fail("cuMemAlloc", CUDA_ERROR_OUT_OF_MEMORY, 0, 1);
    const Error memory = error_of([&] { DeviceBuffer(gpu, 1000); });
    CHECK(memory.code() == ErrorCode::kLaunchFailed);
    CHECK_THAT(memory.what(), Catch::Contains("1000 bytes"));

    held.reset();  // or its code would serve again
    forget_prepared(small_spec(), gpu);
    const size_t loaded = stub->loaded_libraries();
    for (const char* function : {"cuLibraryGetKernel", "cuKernelSetAttribute",
                                 "cuKernelGetFunction", "cuFuncLoad", "cuLibraryLoadData"}) {
        INFO(function);
        stub->fail(function, CUDA_ERROR_UNKNOWN, 0, 1);
        const Error error = error_of([&] { prepare(small_spec(), gpu); });
        CHECK(error.code() == ErrorCode::kLaunchFailed);
        CHECK_THAT(error.what(), Catch::Contains(function));
        CHECK(stub->loaded_libraries() == loaded);  // nothing is left behind
    }
}
