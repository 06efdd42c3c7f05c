// Kernels by spec: prepared once, found by launches, forgotten.
#include "registry.h"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

#include "problem.h"
#include "sagejit/stream.h"
#include "stub.h"
#include "stubs.h"
#include "tuned.h"
#include "unit/error_of.h"

using namespace sagejit;
using namespace sagejit::test;
using Catch::Matchers::Contains;
using namespace std::string_literals;

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

TEST_CASE("a manifest with shapes prepares the plans that are tuned for them", "[driver]") {
    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    const Device gpu = Device::cuda(0);
    forget_prepared();
    const Shape small{1, 4, 2, 100, 150}, large{2, 8, 8, 3000, 3000}, other{1, 1, 1, 9, 9};
    const std::vector<Plan> plans = candidates(small_spec(), gpu.target_for(small_spec()));
    // Every other of the first is in clusters, which these sizes do not fill.
    REQUIRE(plans.size() > 4);
    REQUIRE(plans[2].cluster_q == 1);
    REQUIRE(plans[4].cluster_q == 1);
    const TemporaryDirectory directory;
    const TuningStore store(directory.path());
    store.append(record_for(small_spec(), gpu, small, 2));
    store.append(record_for(small_spec(), gpu, large, 4));
    PrepareOptions options;
    options.cache_directory = directory.path();
    const auto check_all = [&] {
        const auto choices_for = [&](const Shape& shape) {
            const std::optional<Kernel> kernel = find_for_sizes(small_spec(), gpu, shape);
            return kernel ? plan_choices(kernel->plan()) : "none";
        };
        CHECK(choices_for(small) == plan_choices(plans[2]));
        CHECK(choices_for(large) == plan_choices(plans[4]));
        CHECK(choices_for({1, 15, 1, 4000, 4000}) == plan_choices(plans[4]));  // of its bucket
        CHECK(choices_for(other) == "none");
    };
    const std::string manifest = R"({"schema_version": 1, "kernels": [
        {"config": )" + to_json(small_spec(), -1) +
                                 R"(, "device": "cuda:0", "shapes": [
            {"batch": 1, "heads_q": 4, "heads_kv": 2, "len_q": 100, "len_k": 150},
            {"batch": 2, "heads_q": 8, "heads_kv": 8, "len_q": 3000, "len_k": 3000}]},
        {"config": {"head_dim": 64, "causal": "top_left"}, "device": "cuda:1"}]})";
    for (const int threads : {1, 4}) {
        CAPTURE(threads);
        forget_prepared();
        const auto results = warmup(manifest, options, threads);
        REQUIRE(results.size() == 3);
        for (const WarmupResult& result : results) CHECK(result.problem == "");
        CHECK(results[0].report.tuning == TuningMatch::kExact);
        REQUIRE(results[1].shape);
        CHECK(results[1].shape->len_q == 3000);
        CHECK_FALSE(results[2].shape);
        check_all();
        // What a launch by spec takes does not depend on which thread was the last.
        REQUIRE(find_prepared(small_spec(), gpu));
        CHECK(plan_choices(find_prepared(small_spec(), gpu)->plan()) == plan_choices(plans[2]));
    }

    // The next process has the same by the manifest of this one.
    const std::string written = prepared_manifest();
    CHECK(forget_prepared() == 2);
    const size_t libraries = stub->loaded_libraries();
    for (const WarmupResult& result : warmup(written, options)) CHECK(result.problem == "");
    CHECK(stub->loaded_libraries() > libraries);
    check_all();
    CHECK(prepared_manifest() == written);
    CHECK(forget_prepared() == 2);

    const std::string good = R"({"batch": 1, "heads_q": 4, "heads_kv": 2, "len_q": 5, "len_k": 6})";
    const auto with_shapes = [](const std::string& shapes) {
        return R"({"schema_version": 1, "kernels": [{"config": {"head_dim": 64}, "shapes": )" +
               shapes + "}]}";
    };
    for (const WarmupResult& result : warmup(with_shapes("[" + good + "]"), options)) {
        CHECK(result.problem == "");
    }
    CHECK(warmup(with_shapes("[]"), options).size() == 1);
    for (const std::string& bad :
         {"7"s, "{}"s, "[7]"s, "[{}]"s, "[[1, 4, 2, 5, 6]]"s,
          R"([{"batch": 0, "heads_q": 4, "heads_kv": 2, "len_q": 5, "len_k": 6}])"s,
          R"([{"batch": 1, "heads_q": 4, "heads_kv": 3, "len_q": 5, "len_k": 6}])"s,
          R"([{"batch": 1, "heads_q": 4, "heads_kv": 2, "len_q": 1.5, "len_k": 6}])"s,
          R"([{"batch": 1, "heads_q": 4, "heads_kv": 2, "len_q": 5, "len_k": 99999999999999}])"s,
          R"([{"batch": 1, "heads_q": 4, "heads_kv": 2, "len_q": 5, "rows": 6}])"s,
          "[" + good.substr(0, good.size() - 1) + R"(, "more": 1}])"}) {
        INFO(bad);
        const Error error = error_of([&] { warmup(with_shapes(bad), options); });
        CHECK(error.code() == ErrorCode::kInvalidInput);
        CHECK_THAT(error.where(), Contains("manifest/kernels/0/shapes"));
    }
}

TEST_CASE("a child forked from a process that uses a GPU gets an error", "[driver][gpu]") {
    need_gpus(1);
    const Device gpu = Device::cuda(0);
    const Kernel kernel = prepare(small_spec(), gpu);
    const DeviceProblem problem(gpu, kernel.plan());
    const Stream stream(gpu);
    problem.launch(kernel, stream.handle());
    const stub::Controls* stub = stub_controls();
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
        const uint64_t calls = stub != nullptr ? stub->all_calls() : 0;
        const bool refused = is_refused([&] { problem.launch(kernel, stream.handle()); }) &&
                             is_refused([&] { problem.launch(kernel); }) &&
                             is_refused([&] { launch_by_spec(small_spec(), gpu, problem); }) &&
                             is_refused([&] { prepare(other, gpu); }) &&
                             is_refused([&] { Device::cuda(0); });
        // By sagejit: what a driver does in a child is not known.
        _exit(refused && (stub == nullptr || stub->all_calls() == calls) ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    problem.launch(kernel);  // the parent goes on
}
