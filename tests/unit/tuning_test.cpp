// Tuning records: buckets, lines, the store, and which one prepare follows.
#include <sys/stat.h>

#include <array>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "configs.h"
#include "sagejit/sagejit.h"
#include "temporary_directory.h"
#include "tune/choose.h"
#include "tune/store.h"
#include "warning.h"

using namespace sagejit;
using namespace sagejit::test;

namespace {

Spec small_spec() {
    Spec spec;
    spec.head_dim = spec.head_dim_v = 64;
    return spec;
}

const Target& target() { return find_target("sm_90"); }
const TunedDevice kDevice = {"NVIDIA H200", 132, "9.0", "580.1"};

// A record that recommends candidate number `index` for a shape.
TuningRecord record_for(size_t index, const Shape& shape, const TunedDevice& device = kDevice) {
    TuningRecord record;
    record.identity = tuning_identity(small_spec());
    record.target = target().name;
    record.choices = plan_choices(candidates(small_spec(), target()).at(index));
    record.device = device;
    record.generator = "0.1.0";
    record.bucket = bucket_of(shape);
    record.shape = shape;
    record.rel_l1 = 0.01;
    record.rel_l1_limit = 0.02;
    record.whole_call = RecordedTime{1.5, 1.4, 1.6, 20};
    record.attention = RecordedTime{1.25, 1.2, 1.3, 20};
    record.default_whole_call = RecordedTime{2, 1.9, 2.1, 20};
    record.predicted_ms = 1.1;
    record.sm_clock_mhz = 1980;
    record.candidates = 40;
    record.measured = 30;
    record.time = "2026-01-01T00:00:00Z";
    return record;
}

constexpr Shape kLong{1, 16, 16, 16384, 16384}, kShort{1, 16, 16, 1024, 1024};

std::string chosen(const std::vector<TuningRecord>& records, TuningMatch& match,
                   const std::optional<Shape>& shape, const TunedDevice& device = kDevice,
                   const Spec& spec = small_spec()) {
    const ChosenPlan choice = choose_plan(spec, target(), device, shape, records);
    match = choice.match;
    CHECK(choice.record.has_value() == (match != TuningMatch::kNone));
    return plan_choices(choice.plan);
}

std::string choices(size_t index) {
    return plan_choices(candidates(small_spec(), target()).at(index));
}

// Warnings while it exists.
struct Warnings {
    std::vector<std::string> texts;
    Warnings() {
        set_warning_sink([this](const std::string& text) { texts.push_back(text); });
    }
    ~Warnings() { set_warning_sink({}); }
};

}  // namespace

TEST_CASE("buckets round sizes to the nearest power of two") {
    CHECK(bucket_of({1, 16, 16, 2560, 2560}) == ShapeBucket{16, 2048, 2048});
    CHECK(bucket_of({3, 16, 8, 2900, 1449}) == ShapeBucket{64, 4096, 2048});  // past sqrt 2
    CHECK(bucket_of({3, 15, 15, 2896, 1448}) == ShapeBucket{32, 2048, 1024});
    CHECK(bucket_of({0, 16, 16, 1, 0}) == ShapeBucket{1, 1, 1});
    CHECK(distance(bucket_of(kLong), bucket_of(kShort)) == 8);
    CHECK(distance({16, 64, 64}, {64, 64, 64}) == 1);
    CHECK(distance({16, 64, 64}, {16, 64, 64}) == 0);
}

TEST_CASE("the choices of a plan tell all candidates apart") {
    for (const std::string& name : shipped_config_names()) {
        for (const Target& each : all_targets()) {
            std::set<std::string> seen;
            std::vector<Plan> plans;
            try {
                plans = candidates(shipped_config(name), each);
            } catch (const Error&) {
                continue;
            }
            for (const Plan& plan : plans) {
                INFO(name << " " << each.name << " " << plan_choices(plan));
                CHECK(seen.insert(plan_choices(plan)).second);
            }
        }
    }
}

TEST_CASE("clusters serve only sizes that fill them") {
    const Target& hopper = find_target("sm_90a");
    const std::vector<Plan> plans = candidates(small_spec(), hopper);
    REQUIRE(plans.at(1).cluster_q == 2);
    TuningRecord record = record_for(0, kShort);
    record.target = hopper.name;
    record.choices = plan_choices(plans[1]);
    const int64_t tile = plans[1].tile_q;
    const auto chosen_for = [&](const std::optional<Shape>& shape) {
        const ChosenPlan choice =
            choose_plan(small_spec(), hopper, kDevice, shape, std::array{record});
        CHECK(choice.record.has_value());
        return choice.plan;
    };
    for (const int64_t tiles : {2, 6, 9, 101}) {
        CHECK(chosen_for(Shape{1, 16, 16, tiles * tile, 1024}).cluster_q == 2);
    }
    CHECK(chosen_for(kShort).cluster_q == 2);
    for (const int64_t tiles : {1, 3, 5, 7}) {
        const Plan plan = chosen_for(Shape{1, 16, 16, tiles * tile - 5, 1024});
        CHECK(plan.cluster_q == 1);
        CHECK(plan.tile_q == plans[1].tile_q);
        CHECK(plan.tile_k == plans[1].tile_k);
        CHECK(plan.stages == plans[1].stages);
    }
    CHECK(chosen_for(std::nullopt).cluster_q == 1);
}

TEST_CASE("a record survives its line") {
    const TuningRecord record = record_for(3, kLong);
    const std::string line = to_line(record);
    CHECK(line.find('\n') == std::string::npos);
    const auto parsed = parse_record(line);
    REQUIRE(parsed);
    CHECK(to_line(*parsed) == line);
    CHECK(parsed->identity == record.identity);
    CHECK(parsed->choices == record.choices);
    CHECK(parsed->bucket == record.bucket);
    CHECK(parsed->whole_call->q3 == 1.6);
    CHECK_FALSE(parsed->default_attention);
    CHECK(parsed->device.same_gpu(kDevice));
}

TEST_CASE("what is no record is none") {
    const std::string good = to_line(record_for(0, kLong));
    for (size_t length = 0; length < good.size(); ++length) {
        CHECK_FALSE(parse_record(good.substr(0, length)));
    }
    const auto with = [&good](const std::string& from, const std::string& to) {
        std::string text = good;
        const size_t at = text.find(from);
        REQUIRE(at != std::string::npos);
        return text.replace(at, from.size(), to);
    };
    for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
             {"\"schema_version\":1", "\"schema_version\":2"},
             {"\"tuning\"", "\"bench\""},
             {"\"rows\":16", "\"rows\":-16"},
             {"\"rows\":16", "\"rows\":0"},
             {"\"rows\":16", "\"rows\":17"},
             {"\"rows\":16", "\"rows\":\"16\""},
             {"\"median_ms\":1.5", "\"median_ms\":-1"},
             {"\"median_ms\":1.5", "\"median_ms\":null"},
             {"\"median_ms\":1.5", "\"median_ms\":1e999"},
             {"\"estimate\":false", "\"estimate\":0"},
             {"\"spec\":{", "\"spek\":{"},
             {"\"whole_call\":{\"median_ms\":1.5,\"q1_ms\":1.4,\"q3_ms\":1.6,\"samples\":20}",
              "\"whole_call\":null"}}) {
        INFO(to);
        CHECK_FALSE(parse_record(with(from, to)));
    }
    CHECK_FALSE(parse_record("[]"));
    CHECK_FALSE(parse_record(std::string(200'000, '[')));
}

TEST_CASE("the best match decides, the later of two alike") {
    TuningMatch match{};
    const std::string standard = choices(0);
    CHECK(chosen({}, match, kLong) == standard);
    CHECK(match == TuningMatch::kNone);

    const TunedDevice other{"NVIDIA H100", 132, "9.0", ""}, foreign{"NVIDIA A100", 108, "8.0", ""};
    CHECK(chosen({record_for(2, kLong, foreign)}, match, kLong) == standard);
    CHECK(match == TuningMatch::kNone);
    CHECK(chosen({record_for(1, kLong, other)}, match, kLong) == choices(1));
    CHECK(match == TuningMatch::kOtherDevice);
    // The same GPU for another shape beats another GPU for this one.
    CHECK(chosen({record_for(2, kShort), record_for(1, kLong, other)}, match, kLong) == choices(2));
    CHECK(match == TuningMatch::kOtherShape);
    // The nearer of two buckets.
    const Shape medium{1, 16, 16, 4096, 4096};
    CHECK(chosen({record_for(3, medium), record_for(2, kShort)}, match, kLong) == choices(3));
    CHECK(chosen({record_for(3, medium), record_for(2, kLong)}, match,
                 Shape{1, 16, 16, 17000, 15000}) == choices(2));
    CHECK(match == TuningMatch::kExact);
    CHECK(chosen({record_for(3, kLong), record_for(2, kLong)}, match, kLong) == choices(2));
    // Without a shape the one of the most work.
    CHECK(chosen({record_for(3, kLong), record_for(2, kShort)}, match, std::nullopt) == choices(3));
    CHECK(match == TuningMatch::kOtherShape);
}

TEST_CASE("records that do not apply are passed over") {
    TuningMatch match{};
    TuningRecord wrong = record_for(2, kLong);
    wrong.rel_l1 = 0.03;
    CHECK(chosen({wrong}, match, kLong) == choices(0));
    wrong = record_for(2, kLong);
    wrong.estimate = true;
    CHECK(chosen({wrong}, match, kLong) == choices(0));
    wrong = record_for(2, kLong);
    wrong.target = "sm_80";
    CHECK(chosen({wrong}, match, kLong) == choices(0));
    wrong = record_for(2, kLong);
    wrong.choices = R"({"tile_q":7})";  // no such plan any more
    CHECK(chosen({record_for(1, kShort), wrong}, match, kLong) == choices(1));
    CHECK(match == TuningMatch::kOtherShape);
    // Another request; a name and a target are none.
    Spec spec = small_spec();
    spec.lse = !spec.lse;
    CHECK(chosen({record_for(2, kLong)}, match, kLong, kDevice, spec) == choices(0));
    spec = small_spec();
    spec.name = "mine";
    spec.target = "sm_90";
    CHECK(chosen({record_for(2, kLong)}, match, kLong, kDevice, spec) == choices(2));
}

TEST_CASE("shipped records are whole, and name plans there are") {
    size_t lines = 0;
    for (const char c : shipped_record_lines()) lines += c == '\n';
    CHECK(shipped_records().size() == lines);
    for (const TuningRecord& record : shipped_records()) {
        INFO(to_line(record));
        CHECK_FALSE(record.estimate);
        CHECK(record.passed());
        const Spec spec = parse_spec(record.identity);
        const ChosenPlan choice = choose_plan(spec, find_target(record.target), record.device,
                                              record.shape, shipped_records());
        CHECK(choice.match == TuningMatch::kExact);
    }
}

TEST_CASE("the store keeps lines in order and mends one that was cut short") {
    const TemporaryDirectory cache;
    const TuningStore store(cache.path() / "new");
    CHECK(store.records().empty());
    CHECK_FALSE(std::filesystem::exists(cache.path() / "new"));
    store.append(record_for(1, kLong));
    {
        std::ofstream file(store.path(TuningStore::kRecords), std::ios::app);
        file << "{\"schema_version\":1,\"kin";  // a kill in the middle of a write
    }
    const Warnings warnings;
    store.append(record_for(2, kShort));
    const auto records = store.records();
    REQUIRE(records.size() == 2);
    CHECK(records[0].choices == choices(1));
    CHECK(records[1].choices == choices(2));
    CHECK(warnings.texts.size() == 1);
}

TEST_CASE("records others could have written are ignored with a warning") {
    const TemporaryDirectory cache;
    const TuningStore store(cache.path());
    store.append(record_for(1, kLong));
    const std::filesystem::path file = store.path(TuningStore::kRecords);
    {
        const Warnings warnings;
        REQUIRE(::chmod(file.c_str(), 0666) == 0);
        CHECK(store.records().empty());
        CHECK(warnings.texts.size() == 1);
        CHECK_THROWS_AS(store.append(record_for(1, kLong)), Error);
        REQUIRE(::chmod(file.c_str(), 0600) == 0);
        CHECK(store.records().size() == 1);
    }
    {
        const Warnings warnings;
        REQUIRE(::chmod(file.parent_path().c_str(), 0777) == 0);
        CHECK(store.records().empty());
        CHECK(warnings.texts.size() == 1);
        REQUIRE(::chmod(file.parent_path().c_str(), 0700) == 0);
    }
    const std::filesystem::path elsewhere = cache.path() / "elsewhere";
    std::filesystem::rename(file, elsewhere);
    std::filesystem::create_symlink(elsewhere, file);
    const Warnings warnings;
    CHECK(store.records().empty());
    CHECK(warnings.texts.size() == 1);
}
