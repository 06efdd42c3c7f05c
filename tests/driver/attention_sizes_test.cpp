// The call for the impatient chooses its plan by sizes.
#include <catch2/catch.hpp>
#include <string>

#include "attention_fixture.h"
#include "counted_calls.h"
#include "sagejit/attention.h"
#include "sagejit/registry.h"
#include "sagejit/stream.h"
#include "stub.h"
#include "stubs.h"
#include "tuned.h"

using namespace sagejit;
using namespace sagejit::test;

namespace {

// Of three buckets.
const Shape kSmall{1, 4, 2, 100, 150}, kMiddle{1, 4, 2, 100, 600}, kLarge{1, 4, 2, 1000, 1200};

Kernel prepared_for(const AttentionTensors& t) { return prepare_attention(t.q, t.k, t.v, t.out); }

void call(const AttentionTensors& t, const Stream& stream) {
    attention(t.q, t.k, t.v, t.out, {}, stream.handle());
}

// Of the attention kernel that ran last.
unsigned shared_bytes_of_last_launch(const stub::Controls& stub) {
    stub::Launch launch;
    REQUIRE(stub.launches() > 0);
    REQUIRE(stub.launch(stub.launches() - 1, &launch));
    return launch.shared_bytes;
}

}  // namespace

TEST_CASE("attention takes the plan that is tuned for the sizes of each call", "[driver]") {
    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    const Device gpu = Device::cuda(0);
    const Stream stream(gpu);
    const AttentionTensors small(gpu, kSmall, 64, 64), middle(gpu, kMiddle, 64, 64),
        large(gpu, kLarge, 64, 64);
    // Without records one kernel serves all.
    const Spec spec = prepared_for(small).plan().spec;
    const Spec asked = default_spec({64, 64}, gpu.target_for(spec));
    REQUIRE(find_prepared(asked, gpu));
    const size_t libraries = stub->loaded_libraries();
    call(middle, stream);
    call(large, stream);
    CHECK(stub->loaded_libraries() == libraries);
    CHECK(&prepared_for(large).plan() == &prepared_for(small).plan());

    // Two records, of plans that their shared memory tells apart.
    const std::vector<Plan> plans = candidates(asked, gpu.target_for(asked));
    // None in clusters, which so few queries would not fill.
    const auto usable = [&plans](size_t i, size_t other) {
        return plans.at(i).cluster_q == 1 && plans[i].shared_bytes != plans[0].shared_bytes &&
               (i == other || plans[i].shared_bytes != plans[other].shared_bytes);
    };
    size_t first = 1;
    while (!usable(first, first)) ++first;
    size_t second = first + 1;
    while (!usable(second, first)) ++second;
    const TuningStore store({});
    store.append(record_for(asked, gpu, kSmall, first));
    store.append(record_for(asked, gpu, kLarge, second));
    CHECK(forget_prepared() > 0);
    const CompilationLog log;
    CHECK(prepared_for(small).report().tuning == TuningMatch::kExact);
    const auto check_plan = [&](const AttentionTensors& t, size_t candidate) {
        call(t, stream);
        CHECK(plan_choices(prepared_for(t).plan()) == plan_choices(plans[candidate]));
        CHECK(shared_bytes_of_last_launch(*stub) ==
              static_cast<unsigned>(plans[candidate].shared_bytes));
    };
    check_plan(small, first);
    check_plan(large, second);
    check_plan(middle, first);  // its bucket is nearer
    check_plan(small, first);
    CHECK(log.count() == 2);  // a plan is compiled once, and loaded once
    CHECK(find_prepared(asked, gpu));

    // Later calls of any of these sizes only launch.
    stub->reset();
    const AttentionTensors other(gpu, {1, 4, 2, 90, 140}, 64, 64);  // of small's bucket
    const size_t loaded = stub->loaded_libraries();
    for (const AttentionTensors* t : {&small, &large, &middle, &other}) call(*t, stream);
    CHECK(stub->loaded_libraries() == loaded);
    CHECK(log.count() == 2);
    CHECK(stub->calls("cuLibraryLoadData") == 0);
}

TEST_CASE("warm attention takes no memory, no lock and no look at the environment", "[driver]") {
#ifdef SAGEJIT_SANITIZE
    SUCCEED("sanitizers count for themselves");
#else
    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    const Device gpu = Device::cuda(0);
    const Stream stream(gpu);
    const AttentionTensors small(gpu, kSmall, 64, 64), large(gpu, kLarge, 64, 64);
    for (int i = 0; i < 2; ++i) {
        call(small, stream);
        call(large, stream);
    }
    const auto calls_of = [](const auto& function) {
        const CountedCalls before = counted_calls();
        function();
        const CountedCalls after = counted_calls();
        return CountedCalls{after.allocations - before.allocations, after.locks - before.locks,
                            after.getenvs - before.getenvs};
    };
    // Workspace is the stub's to allocate, and it takes memory and a lock for that.
    const size_t bytes = prepared_for(large).workspace_size(kLarge);
    stub->record(false);
    const CountedCalls of_stub = calls_of([&] {
        const ScopedContext scope(driver_api(), primary_context(0));
        const auto handle = static_cast<CUstream>(stream.handle());
        CUdeviceptr memory = 0;
        driver_api().mem_alloc_async(&memory, bytes, handle);
        driver_api().mem_free_async(memory, handle);
        unsigned type = 0;
        int ordinal = 0;
        for (const TensorRef* tensor : {&large.q, &large.k, &large.v, &large.out}) {
            const auto address = reinterpret_cast<CUdeviceptr>(tensor->data);
            driver_api().pointer_get_attribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address);
            driver_api().pointer_get_attribute(&ordinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,
                                               address);
        }
    });
    for (const AttentionTensors* t : {&small, &large}) {
        const CountedCalls calls = calls_of([&] { call(*t, stream); });
        CHECK(calls.allocations == of_stub.allocations);
        CHECK(calls.locks == of_stub.locks);
        CHECK(calls.getenvs == 0);
    }
    stub->record(true);
#endif
}

TEST_CASE("a captured call of new sizes runs the kernel that is there", "[driver][gpu]") {
    need_gpus(1);
    const Device gpu = Device::cuda(0);
    const AttentionTensors small(gpu, kSmall, 64, 64), large(gpu, kLarge, 64, 64);
    const Kernel kernel = prepared_for(small);
    const Stream stream(gpu);
    const auto handle = static_cast<CUstream>(stream.handle());
    REQUIRE(SAGEJIT_DRIVER_CALL(cuStreamBeginCapture)(handle, CU_STREAM_CAPTURE_MODE_GLOBAL) ==
            CUDA_SUCCESS);
    call(large, stream);
    CUgraph graph = nullptr;
    REQUIRE(SAGEJIT_DRIVER_CALL(cuStreamEndCapture)(handle, &graph) == CUDA_SUCCESS);
    CUgraphExec exec = nullptr;
    REQUIRE(instantiate(&exec, graph) == CUDA_SUCCESS);
    REQUIRE(SAGEJIT_DRIVER_CALL(cuGraphLaunch)(exec, handle) == CUDA_SUCCESS);
    stream.synchronize();
    if (stub_controls() == nullptr) {
        CHECK(large.compare_output(large.exact(CausalMode::kNone, 0.125)).rel_l1 < 0.03);
    }
    CHECK(SAGEJIT_DRIVER_CALL(cuGraphExecDestroy)(exec) == CUDA_SUCCESS);
    CHECK(SAGEJIT_DRIVER_CALL(cuGraphDestroy)(graph) == CUDA_SUCCESS);
}

TEST_CASE("sizes whose plan cannot be prepared run by the kernel that is there", "[driver]") {
    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    const Device gpu = Device::cuda(0);
    const Stream stream(gpu);
    const AttentionTensors small(gpu, kSmall, 64, 64), large(gpu, kLarge, 64, 64);
    const Kernel known = prepared_for(small);
    const Spec asked = default_spec({64, 64}, gpu.target_for(known.plan().spec));
    TuningStore({}).append(record_for(asked, gpu, kLarge, 1));
    const ScopedVariable fail("SAGEJIT_STUB_NVRTC_FAIL", "1");  // out of memory
    CollectedWarnings warnings;
    for (int i = 0; i < 2; ++i) call(large, stream);  // the second does not try again
    CHECK(&prepared_for(large).plan() == &known.plan());
    REQUIRE(warnings.texts.size() == 1);
    CHECK_THAT(warnings.texts[0], Catch::Contains("len 1024/1024") &&
                                      Catch::Contains("another one is used") &&
                                      Catch::Contains("OUT_OF_MEMORY"));
    // Without one the error is the caller's.
    AttentionOptions causal;
    causal.causal = CausalMode::kTopLeft;
    CHECK_THROWS_AS(attention(large.q, large.k, large.v, large.out, causal, stream.handle()),
                    Error);
}
