// ThreadSanitizer sees a barrier that is missing from a kernel: one is deleted from a copy of the
// attention kernel, and a report is required.
#include <catch2/catch.hpp>
#include <memory>

#include "cases.h"
#include "host/module.h"
#include "host/process.h"
#include "host/sanitizers.h"
#include "launch.h"
#include "sagejit/generator/source.h"

using namespace sagejit;
using namespace sagejit::test;

namespace {

// What lets a stage be refilled and read: warps that go from turn to turn together have a barrier
// of the CTA, those that may be a turn apart wait at an mbarrier.
struct Pace {
    int stages;
    std::string_view wait;
};
constexpr Pace kTogether = {3, "    cp_async_wait<plan::stages - 2>();\n    cta_barrier();\n"};
constexpr Pace kApart = {
    4, "    mbarrier_spin(shared + plan::barrier_offset, static_cast<u32>(turn + 1) & 1);\n"};

// Runs the kernels of a small causal case, with or without that wait.
void run_attention(const Pace& pace, bool with_wait) {
    Case c;
    c.spec = make_spec(64, Granularity::kThread, CausalMode::kTopLeft);
    c.shape = {1, 1, 1, 200, 200};
    c.spec.tile_q = 128;
    c.spec.tile_k = 32;
    c.spec.stages = pace.stages;
    const Plan plan = make_plan(c.spec, find_target("sm_80"));
    std::string text = emit(plan).host_text;
    const size_t place = text.find(pace.wait);
    REQUIRE(place != std::string::npos);
    if (!with_wait) text.replace(place, pace.wait.size(), "    cp_async_wait<0>();\n");
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
    const abi::Call call = make_call(arguments, c.shape, layout, workspace);
    for (const LaunchStep& step : launch_steps(plan, c.shape)) {
        module.run(std::string(step.entry), call, step.ctas, step.threads, step.shared_bytes, 1);
    }
}

host::ProcessResult in_child(const std::string& test) {
    return host::run_process({"/proc/self/exe", test});
}

}  // namespace

// Hidden: for the children.
TEST_CASE("attention with its barrier", "[.]") { run_attention(kTogether, true); }
TEST_CASE("attention without its barrier", "[.]") { run_attention(kTogether, false); }
TEST_CASE("attention with its mbarrier", "[.]") { run_attention(kApart, true); }
TEST_CASE("attention without its mbarrier", "[.]") { run_attention(kApart, false); }

TEST_CASE("a barrier deleted from attention is a data race") {
    if (!host::kThreadSanitizer) {
        WARN("skipped: not a build with ThreadSanitizer");
        return;
    }
    for (const std::string wait : {"barrier", "mbarrier"}) {
        const host::ProcessResult whole = in_child("attention with its " + wait);
        INFO(whole.output);
        CHECK(whole.status == 0);
        CHECK(whole.output.find("ThreadSanitizer") == std::string::npos);
        const host::ProcessResult broken = in_child("attention without its " + wait);
        CHECK(broken.status != 0);
        CHECK(broken.output.find("ThreadSanitizer: data race") != std::string::npos);
    }
}
