// The registry under 32 threads that prepare, launch, look and forget at once. Runs in the tsan
// executable too, where the registry is instrumented.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "problem.h"
#include "sagejit/registry.h"
#include "stub.h"
#include "stubs.h"

using namespace sagejit;
using namespace sagejit::test;

TEST_CASE("32 threads prepare, launch and forget", "[driver]") {
    // For executables whose main has not: the environment is read when the driver is opened.
    static const TemporaryDirectory cache;
    if (std::getenv("SAGEJIT_LIBCUDA") == nullptr) use_stubs(cache);
    REQUIRE(stub_controls() != nullptr);
    constexpr int kThreads = 32, kRounds = 60;
    std::vector<Spec> specs;
    for (const int head_dim : {64, 72, 80, 96}) {
        Spec spec = small_spec();
        spec.head_dim = spec.head_dim_v = head_dim;
        specs.push_back(spec);
    }
    std::atomic<int> launched = 0, cold = 0, other = 0;
    const auto work = [&](int thread) {
        const Device gpu = Device::cuda(thread % 2 == 0 ? 0 : 2);
        for (int round = 0; round < kRounds; ++round) {
            const Spec& spec = specs[(thread + round) % specs.size()];
            try {
                if (round == 0 || (thread + round) % 16 == 0) prepare(spec, gpu);
                if ((thread + round) % 37 == 0) forget_prepared(spec, gpu);
                const auto kernel = find_prepared(spec, gpu);
                if (!kernel) continue;
                const DeviceProblem problem(gpu, kernel->plan(), {1, 2, 1, 16 + round % 2, 33});
                problem.launch(*kernel);
                launch(spec, gpu, problem.arguments(), problem.workspace(),
                       problem.workspace_bytes());
                ++launched;
            } catch (const Error& error) {
                ++(error.code() == ErrorCode::kNotPrepared ? cold : other);
            }
        }
    };
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
    }
    CHECK(other == 0);
    CHECK(launched > kThreads);
    CHECK(launched + cold <= kThreads * kRounds);
    forget_prepared();
    CHECK(stub_controls()->loaded_libraries() == 0);
}
