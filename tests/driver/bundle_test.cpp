// Kernels from bundles, on the stub driver: which one a device gets, and what is never opened.
#include "sagejit/bundle.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "bundles.h"
#include "problem.h"
#include "stub.h"
#include "tuned.h"
#include "unit/error_of.h"
#include "unit/temporary_directory.h"

using namespace sagejit;
using namespace sagejit::test;
using Catch::Matchers::Contains;

namespace {

bool holds_nothing(const std::filesystem::path& directory) {
    return !std::filesystem::exists(directory) || std::filesystem::is_empty(directory);
}

}  // namespace

TEST_CASE("a kernel of a bundle is launched without NVRTC and without a cache", "[driver]") {
    const std::vector<uint8_t> bytes = bundle_bytes(small_spec(), {"sm_90"});
    const WithoutNvrtc without;
    const TemporaryDirectory cache;
    PrepareOptions options = bundle_only({open_bytes(bytes)});
    options.cache_directory = cache.path() / "cache";

    const Device gpu = Device::cuda(0);
    const Kernel kernel = prepare(small_spec(), gpu, options);
    CHECK(kernel.report().bundle == "test");
    CHECK(kernel.report().compile_ms == 0);
    CHECK_FALSE(kernel.report().from_cache);
    CHECK(holds_nothing(options.cache_directory));

    const stub::Controls* stub = stub_controls();
    REQUIRE(stub != nullptr);
    const DeviceProblem problem(gpu, kernel.plan());
    stub->reset();
    problem.launch(kernel);
    const LaunchSteps steps = launch_steps(kernel.plan(), shape_of(problem.arguments()));
    REQUIRE(stub->launches() == steps.size());
    for (size_t i = 0; i < steps.size(); ++i) {
        stub::Launch launch;
        REQUIRE(stub->launch(i, &launch));
        CHECK(launch.kernel == steps[i].entry);
        CHECK(launch.shared_bytes == static_cast<unsigned>(steps[i].shared_bytes));
    }
}

TEST_CASE("a kernel of a bundle computes what the compiled one does", "[driver][gpu]") {
    need_gpus(1);
    const Device gpu = Device::cuda(0);
    const std::string target(gpu.target_for(small_spec()).name);
    const std::vector<uint8_t> bytes = bundle_bytes(small_spec(), {target});
    PrepareOptions compiling;
    compiling.use_tuning = false;
    const Kernel compiled = prepare(small_spec(), gpu, compiling);
    const WithoutNvrtc without;
    const Kernel bundled = prepare(small_spec(), gpu, bundle_only({open_bytes(bytes)}));
    CHECK(bundled.report().bundle == "test");
    CHECK(compiled.report().bundle.empty());
    CHECK(plan_json(bundled.plan()) == plan_json(compiled.plan()));

    const DeviceProblem problem(gpu, bundled.plan());
    const std::vector<unsigned char> before = problem.output();
    problem.launch(compiled);
    const std::vector<unsigned char> expected = problem.output();
    const DeviceProblem again(gpu, bundled.plan());
    again.launch(bundled);
    CHECK(again.output() == expected);
    // The stub runs nothing.
    if (stub_controls() == nullptr) CHECK(expected != before);
}

TEST_CASE("a kernel from a bundle is planned as one that is compiled", "[driver]") {
    const Device gpu = Device::cuda(0);
    Spec spec = small_spec();
    const std::vector<uint8_t> bytes = bundle_bytes(spec, {"sm_90"});
    PrepareOptions options;
    options.bundles = {open_bytes(bytes)};
    options.policy = PreparePolicy::kBundleOnly;
    SECTION("as the bundle's config asked") {}
    SECTION("under another name") { spec.name = "other"; }
    SECTION("with the target named") { spec.target = "sm_90"; }
    SECTION("with the tiles that were decided spelled out") {
        spec = make_plan(spec, find_target("sm_90")).spec;
    }
    const Kernel kernel = prepare(spec, gpu, options);
    Spec compiled_spec = spec;
    compiled_spec.target = "sm_90";
    const Kernel compiled = prepare(compiled_spec, gpu);
    CHECK(plan_json(kernel.plan()) == plan_json(compiled.plan()));
    CHECK(kernel.plan().spec.name == spec.name);
    const Shape shape = {1, 2, 1, 100, 150};
    CHECK(kernel.workspace_size(shape) == compiled.workspace_size(shape));
}

TEST_CASE("a plan of one's own is that plan, from a bundle as well", "[driver]") {
    const Device gpu = Device::cuda(0);
    const std::vector<uint8_t> bytes = bundle_bytes(small_spec(), {"sm_90"});
    const std::vector<Plan> plans = candidates(small_spec(), find_target("sm_90"));
    REQUIRE(plans.size() > 1);
    const PrepareOptions options = bundle_only({open_bytes(bytes)});
    CHECK(prepare(plans[0], gpu, options).report().bundle == "test");
    CHECK(error_of([&] { prepare(plans[1], gpu, options); }).code() == ErrorCode::kNotBuilt);
}

TEST_CASE("the device decides which cubin of a bundle it gets", "[driver]") {
    const ScopedVariable devices("SAGEJIT_STUB_DEVICES", "8.9,8.6,8.0,8.7,9.0");
    const std::vector<uint8_t> bytes =
        bundle_bytes(small_spec(), {"sm_80", "sm_86", "sm_87", "sm_90"});
    const std::vector<std::string> expected = {"sm_86", "sm_86", "sm_80", "sm_87", "sm_90"};
    const WithoutNvrtc without;
    for (int i = 0; i < static_cast<int>(expected.size()); ++i) {
        const Kernel kernel =
            prepare(small_spec(), Device::cuda(i), bundle_only({open_bytes(bytes)}));
        CHECK(kernel.plan().target.name == expected[i]);
    }
    Spec spec = small_spec();
    spec.target = "sm_80";
    const Kernel named = prepare(spec, Device::cuda(0), bundle_only({open_bytes(bytes)}));
    CHECK(named.plan().target.name == "sm_80");
}

TEST_CASE("what no bundle holds is an error that says what they hold", "[driver]") {
    const std::vector<uint8_t> bytes = bundle_bytes(small_spec(), {"sm_80", "sm_86"});
    const WithoutNvrtc without;
    const Device gpu = Device::cuda(0);  // 9.0
    const Error error =
        error_of([&] { prepare(small_spec(), gpu, bundle_only({open_bytes(bytes, "mine")})); });
    CHECK(error.code() == ErrorCode::kNotBuilt);
    CHECK_THAT(error.message(), Contains("compute capability 9.0") && Contains("bundle_only"));
    CHECK_THAT(error.message(), Contains("mine: holds thread-d64 for sm_80, sm_86"));
    CHECK_FALSE(error.fix().empty());

    const Error nothing = error_of([&] { prepare(small_spec(), gpu, bundle_only({})); });
    CHECK(nothing.code() == ErrorCode::kNotBuilt);
    CHECK_THAT(nothing.message(), Contains("no bundle"));

    // Another config is another kernel, and a named target is that target.
    Spec spec = small_spec();
    spec.lse = !spec.lse;
    const std::vector<uint8_t> other = bundle_bytes(spec, {"sm_90"});
    CHECK(error_of([&] { prepare(small_spec(), gpu, bundle_only({open_bytes(other)})); }).code() ==
          ErrorCode::kNotBuilt);
}

TEST_CASE("a target that does not run on the device is refused before any search", "[driver]") {
    const std::vector<uint8_t> bytes = bundle_bytes(small_spec(), {"sm_80"});
    Spec spec = small_spec();
    spec.target = "sm_80";
    CHECK(error_of([&] {
              prepare(spec, Device::cuda(0), bundle_only({open_bytes(bytes)}));
          }).code() == ErrorCode::kUnsupportedTarget);
}

TEST_CASE("the host device compiles, so other policies are refused there", "[driver]") {
    for (const PreparePolicy policy : {PreparePolicy::kBundleOnly, PreparePolicy::kCacheOnly}) {
        PrepareOptions options;
        options.policy = policy;
        const Error error = error_of([&] { prepare(small_spec(), Device::host(), options); });
        CHECK(error.code() == ErrorCode::kInvalidArgument);
        CHECK_THAT(error.message(), Contains(std::string(to_string(policy))));
    }
    PrepareOptions options;
    options.policy = PreparePolicy::kCacheOnly;
    options.use_cache = false;
    CHECK(error_of([&] { prepare(small_spec(), Device::cuda(0), options); }).code() ==
          ErrorCode::kInvalidArgument);
}

TEST_CASE("bundles come before the cache, and the cache before NVRTC", "[driver]") {
    const Device gpu = Device::cuda(0);
    const TemporaryDirectory directory;
    PrepareOptions options;
    options.cache_directory = directory.path() / "cache";

    options.policy = PreparePolicy::kCacheOnly;
    const Error error = error_of([&] { prepare(small_spec(), gpu, options); });
    CHECK(error.code() == ErrorCode::kNotBuilt);
    CHECK_THAT(error.message(),
               Contains("cache_only") && Contains(options.cache_directory.string()));

    options.policy = PreparePolicy::kJit;
    CHECK_FALSE(prepare(small_spec(), gpu, options).report().from_cache);
    options.policy = PreparePolicy::kCacheOnly;
    CHECK(prepare(small_spec(), gpu, options).report().from_cache);

    const std::vector<uint8_t> bytes = bundle_bytes(small_spec(), {"sm_90"});
    options.bundles = {open_bytes(bytes, "opened")};
    for (const PreparePolicy policy :
         {PreparePolicy::kJit, PreparePolicy::kCacheOnly, PreparePolicy::kBundleOnly}) {
        options.policy = policy;
        const Kernel kernel = prepare(small_spec(), gpu, options);
        CHECK(kernel.report().bundle == "opened");
        CHECK_FALSE(kernel.report().from_cache);
    }

    const Linked linked(bytes, "linked");
    CHECK(prepare(small_spec(), gpu, options).report().bundle == "linked");
    CHECK(linked_bundles().size() == 1);
}

TEST_CASE("a bundle of another generator or a bad cubin is passed over, not used", "[driver]") {
    const Device gpu = Device::cuda(0);
    const TemporaryDirectory directory;
    PrepareOptions options;
    options.cache_directory = directory.path() / "cache";
    std::string expected;
    std::vector<uint8_t> bytes;
    SECTION("another generator") {
        bytes = bundle_bytes(small_spec(), {"sm_90"}, "0.0.9-0123456789abcdef");
        expected = "0.0.9-0123456789abcdef";
    }
    SECTION("a damaged cubin") {
        bytes = bundle_bytes(small_spec(), {"sm_90"});
        bytes.back() ^= 1;
        expected = "checksum";
    }
    SECTION("a plan that is not the spec's") {
        BuiltKernel built = build(small_spec(), "sm_90");
        built.kernel.plan = R"({"target":"sm_90"})";
        bytes = encode_bundle(std::string(generator_id()), "13.0.88", {built});
        expected = "plan";
    }
    SECTION("an entry that is missing") {
        BuiltKernel built = build(small_spec(), "sm_90");
        built.kernel.entries.pop_back();
        bytes = encode_bundle(std::string(generator_id()), "13.0.88", {built});
        expected = "has no entry";
    }
    SECTION("a spec that is none") {
        BuiltKernel built = build(small_spec(), "sm_90");
        built.kernel.spec = R"({"head_dim":7})";
        bytes = encode_bundle(std::string(generator_id()), "13.0.88", {built});
        expected = "head_dim";
    }
    SECTION("a target that this version does not know") {
        BuiltKernel built = build(small_spec(), "sm_90");
        built.kernel.target = "sm_90x";
        bytes = encode_bundle(std::string(generator_id()), "13.0.88", {built});
        expected = "sm_90x";
    }
    options.bundles = {open_bytes(bytes, "bad")};
    options.policy = PreparePolicy::kBundleOnly;
    const Error error = error_of([&] { prepare(small_spec(), gpu, options); });
    CHECK(error.code() == ErrorCode::kNotBuilt);
    CHECK_THAT(error.message(), Contains("bad: ") && Contains(expected));

    options.policy = PreparePolicy::kJit;
    CollectedWarnings warnings;
    CHECK(prepare(small_spec(), gpu, options).report().bundle.empty());
    REQUIRE(warnings.texts.size() == 1);
    CHECK_THAT(warnings.texts.front(), Contains("bad ") && Contains(expected));

    // The next bundle still serves.
    const std::vector<uint8_t> good = bundle_bytes(small_spec(), {"sm_80", "sm_90"});
    options.bundles.push_back(open_bytes(good, "good"));
    options.policy = PreparePolicy::kBundleOnly;
    CHECK(prepare(small_spec(), gpu, options).report().bundle == "good");
}

TEST_CASE("a cubin without the symbol its manifest names is a typed error", "[driver]") {
    BuiltKernel built = build(small_spec(), "sm_90");
    Spec other = small_spec();
    other.smooth_k = false;  // has no entry `statistics`
    built.cubin = build(other, "sm_90").cubin;
    const std::vector<uint8_t> bytes =
        encode_bundle(std::string(generator_id()), "13.0.88", {built});
    const Error error =
        error_of([&] { prepare(small_spec(), Device::cuda(0), bundle_only({open_bytes(bytes)})); });
    CHECK(error.code() == ErrorCode::kLaunchFailed);
    CHECK_THAT(error.where(), Contains("statistics"));
}
