// Values in e4m3, by the wgmma family on a Hopper GPU.
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cases.h"
#include "gpu/short_sums.h"
#include "gpu_or_skip.h"

using namespace sagejit;
using namespace sagejit::test;

namespace {

Device hopper_or_skip() {
    const Device gpu = gpu_or_skip();
    if (gpu.target().name != "sm_90") skip("no Hopper GPU");
    return gpu;
}

Case fp8_case(CausalMode causal, int dim) {
    Case c;
    c.spec = make_spec(dim, Granularity::kThread, causal);
    c.spec.target = "sm_90a";
    c.spec.pv_type = PvType::kFp8;
    c.spec.pv_accum = PvAccum::kFp32PromoteFp32;
    c.spec.smooth_v = c.spec.lse = true;
    c.short_sums = kShortSums;
    return c;
}

}  // namespace

TEST_CASE("every kind of fp8 spec is right on a GPU") {
    const Device gpu = hopper_or_skip();
    for (const Spec& spec : fp8_specs()) {
        for (const Layout layout : {Layout::kTokenMajor, Layout::kOdd}) {
            Case c;
            c.spec = spec;
            c.shape = {2, 6, 2, 1001, 503};
            c.layout = layout;
            c.short_sums = kShortSums;
            CHECK(check_case(c, gpu) == "");
        }
    }
}

TEST_CASE("random fp8 cases agree with all oracles on a GPU") {
    const Device gpu = hopper_or_skip();
    const std::vector<Spec> specs = fp8_specs();
    for (uint64_t index = 0; index < 500; ++index) {
        Case c = random_case(specs, index);
        c.host_seed = 0;
        c.short_sums = kShortSums;
        CHECK(check_case(c, gpu) == "");
    }
}

TEST_CASE("large fp8 shapes are right on a GPU") {
    const Device gpu = hopper_or_skip();
    for (const CausalMode causal : {CausalMode::kNone, CausalMode::kBottomRight}) {
        for (const int dim : {64, 128, 256}) {
            Case c = fp8_case(causal, dim);
            c.shape = {1, 2, 1, 2111, 4680};
            CHECK(check_case(c, gpu) == "");
        }
    }
}

TEST_CASE("fp8 sums of as many keys as are promoted at once, and a few more, on a GPU") {
    const Device gpu = hopper_or_skip();
    for (const int dim : {64, 128, 256}) {
        Case c = fp8_case(CausalMode::kNone, dim);
        const Plan plan = make_plan(c.spec, find_target("sm_90a"));
        const int64_t keys = int64_t{plan.promote_tiles} * plan.tile_k;
        for (const int64_t turns : {1, 2, 5}) {
            for (const int64_t more : {int64_t{-1}, int64_t{0}, int64_t{1}, int64_t{plan.tile_k},
                                       int64_t{plan.tile_k} + 1, keys - 1}) {
                c.shape = {1, 1, 1, 192, turns * keys + more};
                CHECK(check_case(c, gpu) == "");
            }
        }
    }
}

TEST_CASE("GPU and host device agree bit for bit on V in fp8") {
    const Device gpu = hopper_or_skip();
    const std::vector<Spec> specs = fp8_specs();
    for (uint64_t index = 0; index < 30; ++index) {
        Case c = random_case(specs, index);
        c.host_seed = 0;
        const AttentionInput input = draw(c);
        const Kernel kernel = kernel_for(c, gpu);
        Outcome on_device = run_case(kernel, c, input);
        Outcome on_host = run_case(kernel_for(c, Device::host()), c, input);
        INFO(describe(c));
        // How CTAs shared the tiles of heads depends on how many there are: of two words a head
        // only the lowest two bits of the second, what was unusual about it, say nothing of that.
        const WorkspaceRegion notes = make_workspace(kernel.plan(), c.shape).v_notes;
        for (Outcome* outcome : {&on_device, &on_host}) {
            for (size_t i = 0; i < notes.bytes; ++i) {
                if (i % 8 != 4) outcome->workspace[notes.offset + i] = {};
                if (i % 8 == 4) outcome->workspace[notes.offset + i] &= std::byte{3};
            }
        }
        REQUIRE(on_device.workspace.size() == on_host.workspace.size());
        CHECK(std::memcmp(on_device.workspace.data(), on_host.workspace.data(),
                          on_host.workspace.size()) == 0);
    }
}

TEST_CASE("a thousand fp8 launches give the same bits on a GPU") {
    const Device gpu = hopper_or_skip();
    for (const CausalMode causal : {CausalMode::kNone, CausalMode::kTopLeft}) {
        Case c = fp8_case(causal, 128);
        c.shape = {2, 4, 2, 777, 1777};
        CHECK(first_unlike(kernel_for(c, gpu), c, draw(c), 1000) == 0);
    }
}
