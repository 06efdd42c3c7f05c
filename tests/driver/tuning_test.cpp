// Tuning records that prepare finds: good ones decide the plan, bad ones cost a warning.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "problem.h"
#include "sagejit/registry.h"
#include "stub.h"
#include "tuned.h"
#include "unit/temporary_directory.h"

using namespace sagejit;
using namespace sagejit::test;
using Catch::Matchers::Contains;

namespace {

const Shape kShape{1, 2, 1, 100, 150};

}  // namespace

TEST_CASE("corrupt and foreign tuning records cost one warning, and the default plan runs",
          "[driver]") {
    const Device gpu = Device::cuda(0);
    const TemporaryDirectory directory;
    const TuningStore store(directory.path());
    const TuningRecord good = record_for(small_spec(), gpu, kShape, 2);
    PrepareOptions options;
    options.cache_directory = directory.path();
    options.shape = kShape;

    const std::string line = to_line(good);
    std::string content;
    bool warns = true;
    SECTION("not JSON") { content = "garbage\n"; }
    SECTION("cut short") { content = line.substr(0, line.size() / 2); }
    SECTION("zeroed") { content = std::string(line.size(), '\0') + "\n"; }
    SECTION("of wrong types") { content = R"({"schema_version":1,"kind":"tuning","spec":7})"; }
    SECTION("of a later schema") {
        content = line;
        content.replace(content.find("\"schema_version\":1"), 18, "\"schema_version\":9");
    }
    SECTION("of a plan that is not offered") {
        TuningRecord record = good;
        record.choices = R"({"tile_q":1,"tile_k":1,"warp_q":1,"stages":1})";
        content = to_line(record);
        warns = false;  // candidates may change with any version
    }
    SECTION("of another GPU") {
        TuningRecord record = good;
        record.device = {"Another GPU", 7, "17.2", ""};
        content = to_line(record);
        warns = false;  // several machines may share a home directory
    }
    SECTION("that failed its check") {
        TuningRecord record = good;
        record.rel_l1 = 2 * record.rel_l1_limit;
        content = to_line(record);
        warns = false;
    }
    SECTION("writable by others") { content = line + "\n"; }
    store.append(TuningStore::kRecords, "{}");  // makes the directory
    std::ofstream(store.path(TuningStore::kRecords), std::ios::trunc) << content;
    if (content == line + "\n") {
        REQUIRE(::chmod(store.path(TuningStore::kRecords).c_str(), 0666) == 0);
    }

    CollectedWarnings warnings;
    const Kernel kernel = prepare(small_spec(), gpu, options);
    CHECK(kernel.report().tuning == TuningMatch::kNone);
    CHECK(plan_json(kernel.plan()) ==
          plan_json(make_plan(small_spec(), gpu.target_for(small_spec()))));
    CHECK(warnings.texts.size() == (warns ? 1 : 0));
    for (const std::string& text : warnings.texts) CHECK_THAT(text, Contains("records.jsonl"));
    DeviceProblem(gpu, kernel.plan(), kShape).launch(kernel);

    // The good one beside it still counts, where the file can be trusted.
    REQUIRE(::chmod(store.path(TuningStore::kRecords).c_str(), 0600) == 0);
    store.append(good);
    forget_prepared(small_spec(), gpu);  // or the kernel that is there is the answer
    const Kernel tuned = prepare(small_spec(), gpu, options);
    CHECK(tuned.report().tuning == TuningMatch::kExact);
    CHECK(plan_choices(tuned.plan()) == good.choices);
}
