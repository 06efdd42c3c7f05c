// Plans whose code ptxas spilled or serialised: whose choice they were decides what becomes of
// them.
#include <catch2/catch.hpp>
#include <string>

#include "bundle/build.h"
#include "bundles.h"
#include "problem.h"
#include "sagejit/registry.h"
#include "stub.h"
#include "stubs.h"
#include "tuned.h"
#include "unit/error_of.h"

using namespace sagejit;
using namespace sagejit::test;
using Catch::Matchers::Contains;

namespace {

// The line of a source that tells its tile_k; the stub NVRTC knows plans by it.
std::string line_of(const Plan& plan) {
    return "constexpr int tile_k = " + std::to_string(plan.tile_k) + ";";
}

}  // namespace

TEST_CASE("a plan of the caller's choice that spills or is serialised is refused", "[driver]") {
    REQUIRE(stub_controls() != nullptr);
    forget_prepared();
    const Device gpu = Device::cuda(0);
    const Target& target = gpu.target_for(small_spec());
    const Plan plan = make_plan(small_spec(), target);
    const TemporaryDirectory directory;
    PrepareOptions options;
    options.cache_directory = directory.path();
    std::string expected;
    std::optional<ScopedVariable> bad;
    SECTION("spills") {
        bad.emplace("SAGEJIT_STUB_NVRTC_SPILL", line_of(plan));
        expected = "ptxas spilled registers in attention: 24 bytes";
    }
    SECTION("serialised") {
        bad.emplace("SAGEJIT_STUB_NVRTC_SERIAL", line_of(plan));
        expected = "(C7510) Potential Performance Loss";
    }
    Spec explicit_tiles = small_spec();
    explicit_tiles.tile_k = plan.tile_k;
    for (int round = 0; round < 2; ++round) {  // compiled, then from the cache
        for (const Error& error : {error_of([&] { prepare(plan, gpu, options); }),
                                   error_of([&] { prepare(explicit_tiles, gpu, options); })}) {
            CHECK(error.code() == ErrorCode::kUnsupportedTarget);
            CHECK(error.where() == "tile");
            CHECK_THAT(error.message(),
                       Contains(expected) && Contains("tile_k " + std::to_string(plan.tile_k)));
            CHECK_THAT(error.fix(), Contains("allow_slow_code"));
        }
    }
    CHECK_FALSE(find_prepared(explicit_tiles, gpu));

    PrepareOptions allowing = options;
    allowing.allow_slow_code = true;
    const Kernel kernel = prepare(explicit_tiles, gpu, allowing);
    CHECK_THAT(kernel.report().slow_code, Contains(expected));
    DeviceProblem(gpu, kernel.plan()).launch(kernel);
    // That it is loaded now does not make it a good choice.
    CHECK(error_of([&] { prepare(plan, gpu, options); }).code() == ErrorCode::kUnsupportedTarget);

    // The default plan runs whatever this NVRTC makes of it: there is no better one to offer.
    CollectedWarnings warnings;
    const Kernel standard = prepare(small_spec(), gpu, options);
    CHECK_THAT(standard.report().slow_code, Contains(expected));
    REQUIRE(warnings.texts.size() == 1);
    CHECK_THAT(warnings.texts[0], Contains("the default plan for sm_90") && Contains(expected));
}

TEST_CASE("a tuning record of a plan that spills gives way to the default plan", "[driver]") {
    REQUIRE(stub_controls() != nullptr);
    const Device gpu = Device::cuda(0);
    const Target& target = gpu.target_for(small_spec());
    const std::vector<Plan> plans = candidates(small_spec(), target);
    size_t other = 1;
    while (plans.at(other).tile_k == plans[0].tile_k) ++other;
    const Shape shape{1, 2, 1, 100, 150};
    const TemporaryDirectory directory;
    TuningStore(directory.path()).append(record_for(small_spec(), gpu, shape, other));
    PrepareOptions options;
    options.cache_directory = directory.path();
    options.shape = shape;
    {
        const ScopedVariable spill("SAGEJIT_STUB_NVRTC_SPILL", line_of(plans[other]));
        CollectedWarnings warnings;
        const Kernel kernel = prepare(small_spec(), gpu, options);
        CHECK(kernel.report().tuning == TuningMatch::kNone);
        CHECK(kernel.report().slow_code == "");
        CHECK(plan_json(kernel.plan()) == plan_json(plans[0]));
        REQUIRE(warnings.texts.size() == 1);
        CHECK_THAT(warnings.texts[0], Contains("the plan of a tuning record is not taken"));
    }
    options.allow_slow_code = true;
    CHECK(prepare(small_spec(), gpu, options).report().tuning == TuningMatch::kExact);
}

TEST_CASE("a bundle gets code that spills only on demand, and then says so", "[driver]") {
    REQUIRE(stub_controls() != nullptr);
    forget_prepared();
    const Device gpu = Device::cuda(0);
    const Plan plan = make_plan(small_spec(), find_target("sm_90"));
    Spec explicit_tiles = small_spec();
    explicit_tiles.name = "explicit";
    explicit_tiles.tile_k = plan.tile_k;
    const std::vector<BuildRequest> requests = {
        {"standard", "standard.json", small_spec(), "sm_90"},
        {"explicit", "explicit.json", explicit_tiles, "sm_90"}};
    BuildOptions options;
    options.use_cache = false;
    const auto build_all = [&] { return build_bundle(requests, options, [](const auto&) {}); };
    const BuildResult good = build_all();
    REQUIRE(good.steps.size() == 2);
    CHECK(good.steps[0].kernel.slow_code == "");

    std::string expected;
    std::optional<ScopedVariable> bad;
    SECTION("spills") {
        bad.emplace("SAGEJIT_STUB_NVRTC_SPILL", line_of(plan));
        expected = "ptxas spilled registers in attention: 24 bytes";
    }
    SECTION("serialised") {
        bad.emplace("SAGEJIT_STUB_NVRTC_SERIAL", line_of(plan));
        expected = "(C7510) Potential Performance Loss";
    }
    const BuildResult refused = build_all();
    CHECK(refused.bundle.empty());
    REQUIRE(refused.failures.size() == 2);
    for (const BuildFailure& failure : refused.failures) {
        CHECK(failure.error.code() == ErrorCode::kUnsupportedTarget);
        CHECK_THAT(failure.error.message(), Contains(expected));
        CHECK_THAT(failure.error.where(), Contains(failure.name + ".json"));
        CHECK_THAT(failure.error.fix(), Contains("--allow-slow-code"));
    }

    options.allow_slow_code = true;
    const BuildResult taken = build_all();
    CHECK(taken.failures.empty());
    const Bundle bundle = open_bytes(taken.bundle);
    REQUIRE(bundle.kernels().size() == 2);
    for (const BundleKernel& kernel : bundle.kernels()) {
        CHECK_THAT(kernel.slow_code, Contains(expected));
    }
    bad.reset();
    CollectedWarnings warnings;
    const Kernel kernel = prepare(explicit_tiles, gpu, bundle_only({bundle}));
    CHECK_THAT(kernel.report().slow_code, Contains(expected));
    REQUIRE(warnings.texts.size() == 1);
    CHECK_THAT(warnings.texts[0], Contains("the bundle test is slow") && Contains(expected));
    // Silent for whoever has asked for it.
    PrepareOptions allowing = bundle_only({bundle});
    allowing.allow_slow_code = true;
    CHECK_THAT(prepare(small_spec(), gpu, allowing).report().slow_code, Contains(expected));
    CHECK(warnings.texts.size() == 1);
}
