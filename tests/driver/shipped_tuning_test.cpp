// Tuning records that came with sagejit: tests/data/tuned, embedded as configs/tuned is in the
// library.
#include <catch2/catch.hpp>

#include "problem.h"
#include "sagejit/registry.h"
#include "stub.h"
#include "tuned.h"
#include "unit/temporary_directory.h"

using namespace sagejit;
using namespace sagejit::test;

namespace {

// The config of the records.
Spec recorded_spec() {
    return parse_spec(R"({"head_dim": 32, "tile": {"tile_q": 64, "tile_k": 64, "warp_q": 16}})");
}

constexpr Shape kShort{1, 8, 8, 1000, 1100}, kLong{2, 4, 4, 4096, 4096}, kTiny{1, 1, 1, 16, 16};

}  // namespace

TEST_CASE("shipped records decide the plan on the GPU they were measured on", "[driver]") {
    REQUIRE(stub_controls() != nullptr);
    REQUIRE(shipped_records().size() == 3);
    const Device gpu = Device::cuda(0), older = Device::cuda(1), sibling = Device::cuda(2);
    REQUIRE(describe_device(gpu).name == "Stub 9.0 #0");
    const TemporaryDirectory directory;
    PrepareOptions options;
    options.cache_directory = directory.path();
    const auto check = [&](const Device& device, std::optional<Shape> shape, int stages,
                           TuningMatch match) {
        CAPTURE(device.text(), shape ? to_text(bucket_of(*shape)) : "no shape");
        forget_prepared();
        options.shape = shape;
        const Kernel kernel = prepare(recorded_spec(), device, options);
        CHECK(kernel.plan().stages == stages);
        CHECK(kernel.report().tuning == match);
    };
    const Target& target = gpu.target_for(recorded_spec());
    const int standard = make_plan(recorded_spec(), target).stages;
    REQUIRE(standard > 3);  // so that every record shows
    // Nobody has tuned anything here.
    REQUIRE_FALSE(std::filesystem::exists(directory.path() / "tune"));
    check(gpu, kShort, 3, TuningMatch::kExact);
    check(gpu, kLong, 2, TuningMatch::kExact);  // not the other GPU's, which was faster
    check(gpu, kTiny, 3, TuningMatch::kOtherShape);
    check(gpu, std::nullopt, 2, TuningMatch::kOtherShape);  // the one of the most work
    check(sibling, kShort, 3, TuningMatch::kOtherDevice);
    check(older, kShort, make_plan(recorded_spec(), older.target_for(recorded_spec())).stages,
          TuningMatch::kNone);
    options.use_tuning = false;
    check(gpu, kShort, standard, TuningMatch::kNone);
    options.use_tuning = true;

    // A user's own record wins where both match alike, and only there.
    const std::vector<Plan> plans = candidates(recorded_spec(), target);
    REQUIRE(plans.at(0).stages == standard);
    TuningStore(directory.path()).append(record_for(recorded_spec(), gpu, kShort, 0));
    check(gpu, kShort, standard, TuningMatch::kExact);
    check(sibling, kShort, standard, TuningMatch::kOtherDevice);
    TuningStore(directory.path()).append(record_for(recorded_spec(), sibling, kTiny, 0));
    check(sibling, kShort, standard, TuningMatch::kOtherShape);  // the right GPU before the sizes
    check(gpu, kLong, 2, TuningMatch::kExact);
}
