// Kernels by spec: prepared once, found by launches, forgotten.
#include "sagejit/registry.h"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

#include "problem.h"
#include "sagejit/stream.h"
#include "stub.h"
#include "stubs.h"
#include "unit/error_of.h"

using namespace sagejit;
using namespace sagejit::test;
using Catch::Matchers::Contains;

namespace {

void launch_by_spec(const Spec& spec, const Device& device, const DeviceProblem& problem,
                    void* stream = nullptr) {
    launch(spec, device, problem.arguments(), problem.workspace(), problem.workspace_bytes(),
           stream);
}

}  // namespace

TEST_CASE("a launch by spec needs a prepared kernel, and finds it", "[driver][gpu]") {
    need_gpus(1);
    const Device gpu = Device::cuda(0);
    const Spec spec = small_spec();
    const DeviceProblem problem(gpu, make_plan(spec, gpu.target_for(spec)));
    const Error cold = error_of([&] { launch_by_spec(spec, gpu, problem); });
    CHECK(cold.code() == ErrorCode::kNotPrepared);
    CHECK_THAT(cold.what(), Contains("cuda:0") && Contains("prepare"));

    prepare(spec, gpu);
    launch_by_spec(spec, gpu, problem);
    Spec renamed = spec;
    renamed.name = "another name";
    launch_by_spec(renamed, gpu, problem);
    Spec other = spec;
    other.lse = true;
    CHECK(error_of([&] { launch_by_spec(other, gpu, problem); }).code() == ErrorCode::kNotPrepared);
    CHECK(error_of([&] { launch_by_spec(spec, Device::host(), problem); }).code() ==
          ErrorCode::kNotPrepared);

    CHECK(forget_prepared(renamed, gpu));
    CHECK_FALSE(forget_prepared(spec, gpu));
    CHECK(error_of([&] { launch_by_spec(spec, gpu, problem); }).code() == ErrorCode::kNotPrepared);
}

TEST_CASE("a cold launch in a capture leaves the capture valid", "[driver][gpu]") {
    need_gpus(1);
    const Device gpu = Device::cuda(0);
    const Spec warm = small_spec();
    Spec cold = warm;
    cold.causal = CausalMode::kTopLeft;
    const Kernel kernel = prepare(warm, gpu);
    const DeviceProblem problem(gpu, kernel.plan());
    const Stream stream(gpu);
    const auto handle = static_cast<CUstream>(stream.handle());
    REQUIRE(SAGEJIT_DRIVER_CALL(cuStreamBeginCapture)(handle, CU_STREAM_CAPTURE_MODE_GLOBAL) ==
            CUDA_SUCCESS);
    launch_by_spec(warm, gpu, problem, stream.handle());
    CHECK(error_of([&] { launch_by_spec(cold, gpu, problem, stream.handle()); }).code() ==
          ErrorCode::kNotPrepared);
    Kernel moved_from = kernel;
    const Kernel moved_to = std::move(moved_from);
    CHECK(error_of([&] { problem.launch(moved_from, stream.handle()); }).code() ==
          ErrorCode::kNotPrepared);
    problem.launch(moved_to, stream.handle());
    CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
    REQUIRE(SAGEJIT_DRIVER_CALL(cuStreamIsCapturing)(handle, &status) == CUDA_SUCCESS);
    CHECK(status == CU_STREAM_CAPTURE_STATUS_ACTIVE);
    CUgraph graph = nullptr;
    REQUIRE(SAGEJIT_DRIVER_CALL(cuStreamEndCapture)(handle, &graph) == CUDA_SUCCESS);
    size_t nodes = 0;
    REQUIRE(SAGEJIT_DRIVER_CALL(cuGraphGetNodes)(graph, nullptr, &nodes) == CUDA_SUCCESS);
    CHECK(nodes == 2 * launch_steps(kernel.plan(), shape_of(problem.arguments())).size());
    CHECK(SAGEJIT_DRIVER_CALL(cuGraphDestroy)(graph) == CUDA_SUCCESS);
}

TEST_CASE("preparing again gives the same kernel, until it is forgotten", "[driver]") {
    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    const CompilationLog log;
    const Device gpu = Device::cuda(0);
    forget_prepared();
    const size_t before = stub->loaded_libraries();
    {
        const Kernel first = prepare(small_spec(), gpu);
        const Kernel second = prepare(small_spec(), gpu);
        CHECK(&first.plan() == &second.plan());
        CHECK(stub->loaded_libraries() == before + 1);
        REQUIRE(find_prepared(small_spec(), gpu));
        CHECK(&find_prepared(small_spec(), gpu)->plan() == &first.plan());
        // Another device of the same architecture has a kernel of its own.
        const Kernel other = prepare(small_spec(), Device::cuda(2));
        CHECK(&other.plan() != &first.plan());
        CHECK(stub->loaded_libraries() == before + 2);
        // So have other options.
        const TemporaryDirectory directory;
        PrepareOptions options;
        options.cache_directory = directory.path();
        const Kernel elsewhere = prepare(small_spec(), gpu, options);
        CHECK(&elsewhere.plan() != &first.plan());
        CHECK(&find_prepared(small_spec(), gpu)->plan() == &elsewhere.plan());
        CHECK(forget_prepared() == 2);
        CHECK(stub->loaded_libraries() == before + 3);  // the handles still hold them
    }
    CHECK(stub->loaded_libraries() == before);
    CHECK_FALSE(find_prepared(small_spec(), gpu));
    CHECK(log.count() == 2);  // one for each cache directory
}

TEST_CASE("a manifest prepares in the next process what this one had", "[driver]") {
    const Device gpu = Device::cuda(0);
    forget_prepared();
    prepare(small_spec(), gpu);
    prepare(small_spec(), Device::cuda(1));
    const std::string manifest = prepared_manifest();
    CHECK(forget_prepared() == 2);
    const auto results = warmup(manifest);
    REQUIRE(results.size() == 2);
    for (const WarmupResult& result : results) CHECK(result.problem == "");
    CHECK(find_prepared(small_spec(), gpu));
    CHECK(find_prepared(small_spec(), Device::cuda(1)));
    CHECK(prepared_manifest() == manifest);

    const auto partly = warmup(R"({"schema_version": 1, "kernels": [
        {"config": {"head_dim": 64}, "device": "cuda:77"}, {"config": {"head_dim": 64}}]})",
                               {}, 1);
    REQUIRE(partly.size() == 2);
    CHECK_THAT(partly[0].problem, Contains("cuda:77"));
    CHECK(partly[0].config == "kernels/0");
    CHECK(partly[1].problem == "");
    CHECK(partly[1].device == "cuda:0");

    for (const char* text : {"", "[]", "{}", R"({"schema_version": 2, "kernels": []})",
                             R"({"schema_version": 1})", R"({"schema_version": 1, "kernels": [1]})",
                             R"({"schema_version": 1, "kernels": [], "more": 1})",
                             R"({"schema_version": 1, "kernels": [{"config": {}, "gpu": 1}]})"}) {
        INFO(text);
        CHECK(error_of([&] { warmup(text); }).code() == ErrorCode::kInvalidInput);
    }
    const Error bad = error_of(
        [] { warmup(R"({"schema_version": 1, "kernels": [{"config": {"head_dim": 7}}]})"); });
    CHECK(bad.code() == ErrorCode::kInvalidConfig);
    CHECK_THAT(bad.what(), Contains("kernels/0"));
}

TEST_CASE("a child forked from a process that uses a GPU gets an error", "[driver][gpu]") {
    need_gpus(1);
    const Device gpu = Device::cuda(0);
    const Kernel kernel = prepare(small_spec(), gpu);
    const DeviceProblem problem(gpu, kernel.plan());
    problem.launch(kernel);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        alarm(20);  // a hang ends as a failure
        const auto is_refused = [](const auto& call) {
            try {
                call();
            } catch (const Error& error) {
                return error.code() == ErrorCode::kNoDriver;
            }
            return false;
        };
        Spec other = small_spec();
        other.lse = true;
        const bool refused = is_refused([&] { problem.launch(kernel); }) &&
                             is_refused([&] { launch_by_spec(small_spec(), gpu, problem); }) &&
                             is_refused([&] { prepare(other, gpu); }) &&
                             is_refused([&] { Device::cuda(0); });
        _exit(refused ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    problem.launch(kernel);  // the parent goes on
}
