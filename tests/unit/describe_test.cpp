// What a manifest says about a kernel gives its plan again, for every shipped config.
#include "bundle/describe.h"

#include <catch2/catch.hpp>

#include "configs.h"
#include "error_of.h"

using namespace sagejit;

namespace {

std::vector<CubinEntry> entries_of(const Source& source) {
    std::vector<CubinEntry> entries;
    for (const std::string& symbol : source.entries) entries.push_back({symbol, 1, 0, 0, 0, 0});
    return entries;
}

}  // namespace

TEST_CASE("Every shipped config has the same plan from a manifest, for every target") {
    size_t plans = 0;
    for (const std::string& name : test::shipped_config_names()) {
        const Spec asked = test::shipped_config(name);
        for (const Target& target : all_targets()) {
            Plan plan;
            try {
                plan = make_plan(asked, target);
            } catch (const Error& error) {
                if (error.code() != ErrorCode::kUnsupportedTarget) throw;
                continue;
            }
            CAPTURE(name, target.name);
            const Source source = emit(plan);
            const BundleKernel kernel =
                describe_kernel(name, asked, plan, source, entries_of(source), {});
            CHECK(emit(plan_of(kernel)).hash == source.hash);
            CHECK(kernel.asked == spec_identity(asked));
            ++plans;
        }
    }
    CHECK(plans > 0);
}

TEST_CASE("A spec's identity leaves out its name and its target, and nothing else") {
    Spec spec = test::shipped_config("thread-d64");
    const std::string identity = spec_identity(spec);
    spec.name = "other";
    spec.target = "sm_90";
    CHECK(spec_identity(spec) == identity);
    spec.lse = !spec.lse;
    CHECK(spec_identity(spec) != identity);
}
