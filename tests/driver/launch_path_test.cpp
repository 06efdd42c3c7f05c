// What a launch does not do: allocate, lock, read the environment, or ask the driver for more than
// the launches.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>

#include "counted_calls.h"
#include "problem.h"
#include "sagejit/registry.h"
#include "sagejit/stream.h"
#include "stub.h"

using namespace sagejit;
using namespace sagejit::test;

namespace {

// What the function makes this thread call.
template <typename Function>
CountedCalls calls_of(Function function) {
    const CountedCalls before = counted_calls();
    function();
    const CountedCalls after = counted_calls();
    return {after.allocations - before.allocations, after.locks - before.locks,
            after.getenvs - before.getenvs};
}

}  // namespace

TEST_CASE("a launch takes no memory, no lock and no look at the environment", "[driver]") {
#ifdef SAGEJIT_SANITIZE
    SUCCEED("sanitizers count for themselves");
#else
    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    // The counters count.
    CHECK(calls_of([] {
              const auto number = std::make_unique<int>(1);
              asm volatile("" : : "r"(number.get()) : "memory");  // or it is optimised away
          }).allocations == 1);
    std::mutex mutex;
    CHECK(calls_of([&] { const std::lock_guard lock(mutex); }).locks == 1);
    CHECK(calls_of([] { std::getenv("PATH"); }).getenvs == 1);

    const Device gpu = Device::cuda(0);
    for (const char* config : {"thread-d64", "tensor-d128", "sage-vb-d128", "thread-d128-lse"}) {
        INFO(config);
        Spec spec = shipped_config(config);
        if (spec.target) spec.target.reset();
        const Kernel kernel = prepare(spec, gpu);
        const Stream stream(gpu);
        // Two sizes by turns, so that what one call worked out is of no use for the next.
        const DeviceProblem small(gpu, kernel.plan(), {1, 2, 1, 100, 150});
        const DeviceProblem large(gpu, kernel.plan(), {2, 4, 4, 333, 555});
        Arguments small_arguments = small.arguments(), large_arguments = large.arguments();
        const DeviceBuffer lse(gpu, 1 << 16);
        if (spec.lse) small_arguments.lse = large_arguments.lse = static_cast<float*>(lse.data());
        stub->reset();
        stub->record(false);
        const auto launch_all = [&] {
            for (int i = 0; i < 3; ++i) {
                kernel.launch(small_arguments, small.workspace(), small.workspace_bytes(),
                              stream.handle());
                kernel.launch(large_arguments, large.workspace(), large.workspace_bytes(), nullptr);
                launch(spec, gpu, small_arguments, small.workspace(), small.workspace_bytes(),
                       stream.handle());
                launch(spec, gpu, large_arguments, large.workspace(), large.workspace_bytes());
            }
        };
        CountedCalls here, elsewhere;
        here = calls_of(launch_all);
        std::thread([&] {
            // A driver may make memory of its own for a new thread; the stub does.
            CUcontext context = nullptr;
            driver_api().ctx_get_current(&context);
            elsewhere = calls_of(launch_all);
        }).join();
        for (const CountedCalls& calls : {here, elsewhere}) {
            CHECK(calls.allocations == 0);
            CHECK(calls.locks == 0);
            CHECK(calls.getenvs == 0);
        }
        const uint64_t steps = launch_steps(kernel.plan(), {1, 2, 1, 100, 150}).size();
        CHECK(stub->calls("cuLaunchKernelEx") == 24 * steps);
        // Kernels of Hopper's own read V through a map, which is made anew for every call.
        const uint64_t maps = kernel.plan().target.family == Family::kWgmma ? 24 : 0;
        CHECK(stub->calls("cuTensorMapEncodeTiled") == maps);
        CHECK(stub->all_calls() ==
              stub->calls("cuLaunchKernelEx") + stub->calls("cuCtxGetCurrent") +
                  stub->calls("cuCtxPushCurrent") + stub->calls("cuCtxPopCurrent") + maps);
        // By the launches on the null stream, the thread above, and for maps.
        CHECK(stub->calls("cuCtxGetCurrent") == 12 + 1 + maps);
        // Nor where it is the driver that says that another context is needed.
        std::thread([&] {
            CUcontext context = nullptr;
            driver_api().ctx_get_current(&context);  // as above
            stub->fail("cuLaunchKernelEx", CUDA_ERROR_INVALID_CONTEXT, 0, 1);
            elsewhere = calls_of([&] {
                kernel.launch(small_arguments, small.workspace(), small.workspace_bytes(),
                              stream.handle());
            });
        }).join();
        CHECK(elsewhere.allocations + elsewhere.locks + elsewhere.getenvs == 0);
        CHECK(stub->calls("cuLaunchKernelEx") == 25 * steps + 1);
        stub->record(true);
    }
#endif
}
