// One compilation for all who want it, what becomes of its failure, and giving up on it.
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>
#include <vector>

#include "host/process.h"
#include "obtain_cubin.h"
#include "problem.h"
#include "sagejit/registry.h"
#include "stub.h"
#include "stubs.h"
#include "unit/error_of.h"

using namespace sagejit;
using namespace sagejit::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

// Runs the function in that many threads at once.
template <typename Function>
void in_threads(int count, Function function) {
    std::vector<std::jthread> threads;
    for (int i = 0; i < count; ++i) threads.emplace_back([&function, i] { function(i); });
}

Spec spec_of(int head_dim) {
    Spec spec = small_spec();
    spec.head_dim = spec.head_dim_v = head_dim;
    return spec;
}

}  // namespace

TEST_CASE("32 threads that want one kernel compile and load it once", "[driver]") {
    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    const ScopedVariable slow("SAGEJIT_STUB_NVRTC_MS", "100");
    const CompilationLog log;
    const Device gpu = Device::cuda(0);
    const size_t before = stub->loaded_libraries();
    std::vector<std::shared_future<Kernel>> futures(32);
    in_threads(32, [&](int i) {
        if (i % 2 == 0) prepare(spec_of(72), gpu);
        if (i % 2 == 1) futures[i] = prepare_async(spec_of(72), gpu);
    });
    for (int i = 1; i < 32; i += 2) CHECK(futures[i].get().plan().spec.head_dim == 72);
    CHECK(log.count() == 1);
    CHECK(stub->loaded_libraries() == before + 1);
}

TEST_CASE("a compilation that fails fails for all who wait, and can be tried again", "[driver]") {
    const CompilationLog log;
    const Device gpu = Device::cuda(0);
    std::atomic<int> failed = 0;
    {
        const ScopedVariable slow("SAGEJIT_STUB_NVRTC_MS", "1000");
        const ScopedVariable fail("SAGEJIT_STUB_NVRTC_FAIL", "1");  // out of memory
        in_threads(8, [&](int) {
            const Error error = error_of([&] { prepare(spec_of(80), gpu); });
            if (error.code() == ErrorCode::kCompileFailed) ++failed;
        });
    }
    CHECK(failed == 8);
    CHECK(log.count() == 1);
    CHECK(prepare(spec_of(80), gpu).plan().spec.head_dim == 80);
    CHECK(log.count() == 2);
}

TEST_CASE("a refused source is refused again without compiling", "[driver]") {
    const CompilationLog log;
    const TemporaryDirectory directory;
    PrepareOptions options;
    options.cache_directory = directory.path();
    const auto obtain = [&](const std::string& source) {
        return error_of([&] { obtain_cubin(source, "0.1.0", "sm_90", "a.cu", options); });
    };
    const std::string broken = "#line 7 \"values.cuh\"\n#error no such thing\n";
    for (int i = 0; i < 3; ++i) {
        const Error error = obtain(broken);
        CHECK(error.code() == ErrorCode::kCompileFailed);
        CHECK_THAT(error.message(), Contains("values.cuh(7)") && Contains("no such thing") &&
                                        Contains("--gpu-architecture=sm_90") &&
                                        Contains((directory.path() / "tmp").string()));
    }
    CHECK(log.count() == 1);
    for (int i = 0; i < 2; ++i) CHECK_THAT(obtain("PTXAS_ERROR").message(), Contains("ptxas"));
    CHECK(log.count() == 2);
}

TEST_CASE("a caller may stop waiting", "[driver]") {
    const Device gpu = Device::cuda(0);
    const auto start = std::chrono::steady_clock::now();
    {
        const ScopedVariable slow("SAGEJIT_STUB_NVRTC_MS", "20000");
        PrepareOptions options;
        options.deadline = start + 50ms;
        const Error late = error_of([&] { prepare(spec_of(88), gpu, options); });
        CHECK(late.code() == ErrorCode::kCancelled);
        CHECK_THAT(late.what(), Contains("deadline"));
        options.deadline.reset();
        std::stop_source stop;
        options.stop = stop.get_token();
        const auto future = prepare_async(spec_of(96), gpu, options);
        std::this_thread::sleep_for(20ms);
        stop.request_stop();
        CHECK(error_of([&] { future.get(); }).code() == ErrorCode::kCancelled);
        CHECK(error_of([&] { prepare(spec_of(104), gpu, options); }).code() ==
              ErrorCode::kCancelled);
    }
    CHECK(std::chrono::steady_clock::now() - start < 10s);  // nobody waited for a compilation
    CHECK(prepare(spec_of(88), gpu).plan().spec.head_dim == 88);
    CHECK(prepare(spec_of(96), gpu).plan().spec.head_dim == 96);
}

TEST_CASE("one who leaves does not take the others along", "[driver]") {
    const CompilationLog log;
    const ScopedVariable slow("SAGEJIT_STUB_NVRTC_MS", "1500");
    const Device gpu = Device::cuda(0);
    std::atomic<int> left = 0, arrived = 0;
    in_threads(8, [&](int i) {
        PrepareOptions options;
        if (i % 2 == 0) options.deadline = std::chrono::steady_clock::now() + 50ms;
        try {
            prepare(spec_of(112), gpu, options);
            ++arrived;
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled) ++left;
        }
    });
    CHECK(left == 4);
    CHECK(arrived == 4);
    CHECK(log.count() == 1);
}

// For the test below.
TEST_CASE("exit while compiling", "[.]") {
    setenv("SAGEJIT_STUB_NVRTC_MS", "60000", 1);
    prepare_async(spec_of(120), Device::cuda(0));
    std::this_thread::sleep_for(50ms);
}

TEST_CASE("a process may exit while it compiles", "[driver]") {
    const host::ProcessResult result =
        host::run_process({"/proc/self/exe", "exit while compiling"});
    INFO(result.output);
    CHECK(result.status == 0);
}
