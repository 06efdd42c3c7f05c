// Clusters of two CTAs on the host device: the same bits as without, and a wait that is deleted
// from the kernel is reported.
#include <bit>
#include <catch2/catch.hpp>
#include <memory>
#include <span>

#include "cases.h"
#include "host/module.h"
#include "host/process.h"
#include "host/sanitizers.h"
#include "launch.h"
#include "sagejit/generator/source.h"
#include "value_map.h"

using namespace sagejit;
using namespace sagejit::test;

namespace {

// Runs a case with and without clusters; the outputs must agree to the bit.
void check_pair(Case c) {
    c.spec.target = "sm_90a";
    c.spec.lse = true;
    c.spec.cluster_q = 1;
    const AttentionInput input = draw(c);
    const Outcome alone = run_case(kernel_for(c, Device::host()), c, input);
    c.spec.cluster_q = 2;
    for (const uint64_t seed : {0u, 5u, 6u}) {
        c.host_seed = seed;
        INFO(describe(c));
        const Outcome pair = run_case(kernel_for(c, Device::host()), c, input);
        CHECK(pair.o == alone.o);
        CHECK(pair.lse == alone.lse);
    }
}

// A change to the kernel: `from` becomes `to`, everywhere.
struct Change {
    std::string_view from, to;
};
// Nobody waits for what the other CTA's warps read: they do not say so, and are not counted.
constexpr Change kOwnReaders[] = {
    {"lane_index() < plan::cluster_q", "lane_index() == cluster_rank()"},
    {"plan::cluster_q * plan::warps", "plan::warps"}};
constexpr Change kNoEnding[] = {{"    leave_together();\n}", "}"}};

void run_attention(std::span<const Change> changes) {
    Case c;
    c.spec = make_spec(64, Granularity::kThread, CausalMode::kTopLeft);
    c.spec.cluster_q = 2;
    c.spec.tile_q = 128;
    c.spec.tile_k = 32;
    c.spec.stages = 2;
    c.shape = {1, 1, 1, 200, 200};
    const Plan plan = make_plan(c.spec, find_target("sm_90a"));
    std::string text = emit(plan).host_text;
    for (const Change& change : changes) {
        size_t place = text.find(change.from);
        REQUIRE(place != std::string::npos);
        for (; place != std::string::npos; place = text.find(change.from, place)) {
            text.replace(place, change.from.size(), change.to);
        }
    }
    const host::HostModule module = host::load_host_module(text);

    AttentionInput input = draw(c);
    HostTensor o = make_host_tensor(DataType::kFp16, {1, 1, 200, 64});
    const Arguments arguments = {input.q.ref(), input.k.ref(), input.v.ref(),
                                 o.ref(),       nullptr,       0.125f};
    const Workspace layout = make_workspace(plan, c.shape);
    AlignedBytes memory(layout.bytes + 256);
    void* workspace = memory.data();
    size_t room = memory.size();
    REQUIRE(std::align(256, layout.bytes, workspace, room) != nullptr);
    abi::Call call = make_call(arguments, c.shape, layout, workspace);
    call.v_packed = 1;
    set_tile_order(plan, call);
    for (const uint64_t seed : {1u, 2u, 3u, 4u}) {
        for (const LaunchStep& step : launch_steps(plan, c.shape)) {
            module.run(std::string(step.entry), call, step.ctas, step.threads, step.shared_bytes,
                       seed, step.cluster);
        }
    }
}

host::ProcessResult in_child(const std::string& test) {
    return host::run_process({"/proc/self/exe", test});
}

}  // namespace

TEST_CASE("a cluster of two CTAs gives the same bits as none") {
    const Shape shapes[] = {{1, 4, 2, 201, 389}, {2, 2, 2, 1, 300}, {1, 2, 1, 500, 70},
                            {1, 2, 2, 5, 0},     {1, 3, 1, 390, 1}, {1, 1, 1, 193, 193}};
    for (const CausalMode causal :
         {CausalMode::kNone, CausalMode::kTopLeft, CausalMode::kBottomRight}) {
        for (const Shape& shape : shapes) {
            Case c;
            c.spec =
                make_spec(causal == CausalMode::kTopLeft ? 64 : 128, Granularity::kThread, causal);
            c.shape = shape;
            check_pair(c);
        }
    }
}

TEST_CASE("a cluster of two CTAs gives the same bits for every kind of value") {
    for (const bool fp8 : {false, true}) {
        for (const Spec& spec : fp8 ? fp8_specs() : wgmma_specs()) {
            if (spec.cluster_q) continue;
            Case c;
            c.spec = spec;
            c.shape = {1, 2, 1, 230, 300};
            c.layout = spec.head_dim == 72 ? Layout::kOdd : Layout::kTokenMajor;
            check_pair(c);
        }
    }
}

TEST_CASE("NaN and Inf come out of a cluster as without") {
    for (const CausalMode causal : {CausalMode::kNone, CausalMode::kBottomRight}) {
        Case c;
        c.spec = make_spec(128, Granularity::kThread, causal);
        c.spec.target = "sm_90a";
        c.shape = {1, 2, 1, 250, 400};
        AttentionInput input = draw(c);
        input.k.bits()[390 * 128 + 3] = 0x7E00;
        input.v.bits()[380 * 128 + 77] = 0x7C00;
        c.spec.cluster_q = 1;
        const Outcome alone = run_case(kernel_for(c, Device::host()), c, input);
        c.spec.cluster_q = 2;
        const Outcome pair = run_case(kernel_for(c, Device::host()), c, input);
        REQUIRE(pair.o.size() == alone.o.size());
        size_t unlike = 0;
        for (size_t i = 0; i < alone.o.size(); ++i) {
            unlike += std::bit_cast<uint64_t>(alone.o[i]) != std::bit_cast<uint64_t>(pair.o[i]);
        }
        CHECK(unlike == 0);
    }
}

// Hidden: for the children.
TEST_CASE("attention in clusters", "[.]") { run_attention({}); }
TEST_CASE("attention in clusters without a wait", "[.]") { run_attention(kOwnReaders); }
TEST_CASE("attention in clusters without an ending", "[.]") { run_attention(kNoEnding); }

TEST_CASE("a wait deleted from attention in clusters is a data race") {
    if (!host::kThreadSanitizer) {
        WARN("skipped: not a build with ThreadSanitizer");
        return;
    }
    const host::ProcessResult whole = in_child("attention in clusters");
    INFO(whole.output);
    CHECK(whole.status == 0);
    CHECK(whole.output.find("ThreadSanitizer") == std::string::npos);
    const host::ProcessResult broken = in_child("attention in clusters without a wait");
    CHECK(broken.status != 0);
    CHECK(broken.output.find("ThreadSanitizer: data race") != std::string::npos);
}

TEST_CASE("a CTA that leaves before its peer has read is reported") {
    const host::ProcessResult broken = in_child("attention in clusters without an ending");
    CHECK(broken.status != 0);
    const auto says = [&](const char* text) {
        return broken.output.find(text) != std::string::npos;
    };
    CHECK((says("mbarrier_arrive_peer(") || says("ThreadSanitizer: data race")));
}
