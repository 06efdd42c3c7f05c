// The host device's cases on a real GPU, and both devices against each other.
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "cases.h"
#include "configs.h"
#include "gpu_or_skip.h"

using namespace sagejit;
using namespace sagejit::test;

namespace {

// Cases that name a target run on whatever the GPU is: by the kernels of every GPU of its kind, so
// that those are checked too where it has kernels of its own.
Case on_gpu(Case c, const Device& gpu) {
    c.spec.target = std::string(gpu.target().name);
    c.host_seed = 0;
    return c;
}

}  // namespace

TEST_CASE("every kind of spec is right on a GPU") {
    const Device gpu = gpu_or_skip();
    for (const Spec& spec : diverse_specs()) {
        Case c;
        c.spec = spec;
        c.shape = {2, 6, 2, 1001, 503};
        c.layout = Layout::kTokenMajor;
        CHECK(check_case(on_gpu(c, gpu), gpu) == "");
    }
}

TEST_CASE("random cases agree with all oracles on a GPU") {
    const Device gpu = gpu_or_skip();
    const std::vector<Spec> specs = diverse_specs();
    for (uint64_t index = 0; index < 1000; ++index) {
        CHECK(check_case(on_gpu(random_case(specs, index), gpu), gpu) == "");
    }
}

TEST_CASE("GPU and host device agree bit for bit on what the quantizers write") {
    const Device gpu = gpu_or_skip();
    const std::vector<Spec> specs = diverse_specs();
    for (uint64_t index = 0; index < 60; ++index) {
        Case c = on_gpu(random_case(specs, index), gpu);
        const AttentionInput input = draw(c);
        const Outcome on_device = run_case(kernel_for(c, gpu), c, input);
        const Outcome on_host = run_case(kernel_for(c, Device::host()), c, input);
        INFO(describe(c));
        REQUIRE(on_device.workspace.size() == on_host.workspace.size());
        CHECK(std::memcmp(on_device.workspace.data(), on_host.workspace.data(),
                          on_host.workspace.size()) == 0);
    }
}

TEST_CASE("large shapes are right on a GPU") {
    const Device gpu = gpu_or_skip();
    Case c;
    c.spec = make_spec(128);
    c.spec.lse = true;
    c.shape = {1, 2, 2, 4096, 8192};
    CHECK(check_case(c, gpu) == "");
    c.spec = make_spec(64, Granularity::kToken, CausalMode::kBottomRight);
    c.shape = {1, 2, 1, 4680, 8191};
    CHECK(check_case(c, gpu) == "");
}

TEST_CASE("a thousand launches give the same bits on a GPU") {
    const Device gpu = gpu_or_skip();
    Case c;
    c.spec = make_spec(128, Granularity::kThread, CausalMode::kTopLeft);
    c.spec.lse = true;
    c.shape = {2, 4, 2, 777, 777};
    CHECK(first_unlike(kernel_for(c, gpu), c, draw(c), 1000) == 0);
}
