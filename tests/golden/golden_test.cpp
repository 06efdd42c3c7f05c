// Emitted sources of a few representative plans, byte for byte. A missing file is a failure.
// After a deliberate change: SAGEJIT_UPDATE_GOLDEN=1 ctest -L golden, and read the diff.
#include <catch2/catch.hpp>
#include <cstdlib>

#include "configs.h"
#include "sagejit/generator/source.h"

using namespace sagejit;

namespace {

void check_golden(const Plan& plan, const std::string& name) {
    const Source source = emit(plan);
    const std::filesystem::path path = test::source_path("tests/golden") / name;
    if (std::getenv("SAGEJIT_UPDATE_GOLDEN") != nullptr) {
        std::ofstream(path, std::ios::binary) << source.text;
    }
    INFO(name);
    std::string expected;
    REQUIRE_NOTHROW(expected = test::read_file(path));
    const bool same = source.text == expected;
    CHECK(same);
}

}  // namespace

TEST_CASE("golden sources") {
    const std::pair<const char*, const char*> cases[] = {
        {"thread-d64-causal", "sm_89"}, {"sage-t-d128", "sm_80"},
        {"sage-vb-d128", "sm_90"},      {"thread-d128-bf16", "sm_120"},
        {"thread-d128-lse", "sm_100"},  {"tensor-d128", "sm_87"},
        {"thread-d256", "sm_86"},       {"thread-d128", "sm_90a"},
        {"thread-d256", "sm_90a"},      {"thread-d64-bf16-pv-causal", "sm_90a"},
        {"thread-d128-fp8", "sm_90a"},
    };
    for (const auto& [config, target] : cases) {
        check_golden(make_plan(test::shipped_config(config), find_target(target)),
                     std::string(config) + "-" + target + ".cu");
    }
    Spec pair = test::shipped_config("thread-d128");
    pair.cluster_q = 2;
    check_golden(make_plan(pair, find_target("sm_90a")), "thread-d128-cluster-sm_90a.cu");
}
