// The wgmma family on a Hopper GPU.
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>

#include "bold_cases.h"
#include "cases.h"
#include "gpu/short_sums.h"
#include "gpu_or_skip.h"

using namespace sagejit;
using namespace sagejit::test;

namespace {

// Ends the process as skipped on a GPU without wgmma.
Device hopper_or_skip() {
    const Device gpu = gpu_or_skip();
    if (gpu.target().name != "sm_90") skip("no Hopper GPU");
    return gpu;
}

}  // namespace

TEST_CASE("every kind of wgmma spec is right on a GPU") {
    const Device gpu = hopper_or_skip();
    for (const Spec& spec : wgmma_specs()) {
        for (const Layout layout : {Layout::kTokenMajor, Layout::kOdd}) {
            Case c;
            c.spec = spec;
            c.shape = {2, 6, 2, 1001, 503};
            c.layout = layout;
            CHECK(check_case(c, gpu) == "");
        }
    }
}

TEST_CASE("random wgmma cases agree with all oracles on a GPU") {
    const Device gpu = hopper_or_skip();
    const std::vector<Spec> specs = wgmma_specs();
    for (uint64_t index = 0; index < 1000; ++index) {
        Case c = random_case(specs, index);
        c.host_seed = 0;
        CHECK(check_case(c, gpu) == "");
    }
}

TEST_CASE("large wgmma shapes are right on a GPU") {
    const Device gpu = hopper_or_skip();
    for (const CausalMode causal : {CausalMode::kNone, CausalMode::kBottomRight}) {
        for (const int dim : {64, 128, 256}) {
            Case c;
            c.spec = make_spec(dim, Granularity::kThread, causal);
            c.spec.target = "sm_90a";
            c.spec.lse = true;
            c.shape = {1, 2, 1, 2111, 4680};
            CHECK(check_case(c, gpu) == "");
        }
    }
}

TEST_CASE("NaN and Inf in V stay with the rows that see them, by wgmma on a GPU") {
    const Device gpu = hopper_or_skip();
    Case c;
    c.spec = make_spec(128, Granularity::kThread, CausalMode::kTopLeft);
    c.spec.target = "sm_90a";
    c.shape = {1, 1, 1, 400, 400};
    AttentionInput input = draw(c);
    constexpr uint16_t kNan = 0x7E00, kInf = 0x7C00;
    input.v.bits()[123 * 128 + 5] = kNan;
    input.v.bits()[250 * 128 + 77] = kInf;
    const Outcome outcome = run_case(kernel_for(c, gpu), c, input);
    for (const std::string& line : disagreements(c, outcome)) FAIL_CHECK(line);
}

TEST_CASE("a thousand wgmma launches give the same bits on a GPU") {
    const Device gpu = hopper_or_skip();
    for (const CausalMode causal : {CausalMode::kNone, CausalMode::kTopLeft}) {
        Case c;
        c.spec = make_spec(128, Granularity::kThread, causal);
        c.spec.target = "sm_90a";
        c.spec.lse = true;
        c.shape = {2, 4, 2, 777, 1777};
        CHECK(first_unlike(kernel_for(c, gpu), c, draw(c), 1000) == 0);
    }
}

TEST_CASE("launches of long shapes give the same bits on a GPU, wgmma and fp8") {
    const Device gpu = hopper_or_skip();
    for (const CausalMode causal : {CausalMode::kNone, CausalMode::kBottomRight}) {
        for (Case c : bold_cases()) {
            c.spec.causal = causal;
            c.shape = {1, 6, 2, 1500, 9001};
            CAPTURE(to_json(c.spec));
            CHECK(first_unlike(kernel_for(c, gpu), c, draw(c), 500) == 0);
        }
    }
}

TEST_CASE("scores that outgrow a bold step are right on a GPU, wgmma and fp8") {
    const Device gpu = hopper_or_skip();
    for (Case c : bold_cases()) {
        c.shape = {1, 4, 4, 400, 3500};
        if (c.spec.pv_type == PvType::kFp8) c.short_sums = kShortSums;
        for (const double factor : {2.0, 5.0, 30.0, 200.0}) {
            AttentionInput input = draw(c);
            for (const int64_t key : {500, 1200, 1201, 2900})
                scale_keys(input, c, key, key + 3, factor);
            const Outcome outcome = run_case(kernel_for(c, gpu), c, input);
            CHECK(disagreements(c, outcome) == std::vector<std::string>{});
        }
    }
}
