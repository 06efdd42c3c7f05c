// The analytic model held against what a GPU said: every measurement that a tuning of twelve shapes
// and its exhaustive sweep made on an H200.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "configs.h"
#include "tune/choose.h"
#include "tune/model.h"

using namespace sagejit;
using namespace sagejit::test;
using Json = nlohmann::ordered_json;

namespace {

struct Case {
    Spec spec;
    Shape shape;
    std::map<std::string, Json> raced;  // in the last race, by the plan's choices
    bool over = false;
};

// Shapes with the plans of their last race, which is the sweep's: those that left it early were
// slower than its winner, and all times are told as of the same turns.
std::map<std::string, Case> measured_cases(const std::string& rows) {
    std::map<std::string, Case> cases;
    std::istringstream lines(read_file(source_path(rows)));
    for (std::string line; std::getline(lines, line);) {
        const Json row = Json::parse(line);
        const Json& key = row.at("key");
        const auto sizes = key.at("shape").get<std::vector<int64_t>>();
        const int head_dim = key.at("spec").at("head_dim").get<int>();
        Case& known = cases[std::to_string(head_dim) + key.at("shape").dump()];
        known.spec.head_dim = known.spec.head_dim_v = head_dim;
        known.shape = {sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]};
        if (row.at("turns") == 0) {
            known.over = true;
            continue;
        }
        if (known.over) known.raced.clear();
        known.over = false;
        known.raced[key.at("plan").dump()] = row;
    }
    return cases;
}

double median(const Json& row) { return row.at("whole_call").at("median_ms").get<double>(); }

std::string best_of(const Case& known) {
    const auto best = std::min_element(
        known.raced.begin(), known.raced.end(),
        [](const auto& a, const auto& b) { return median(a.second) < median(b.second); });
    return best == known.raced.end() ? "" : best->first;
}

}  // namespace

TEST_CASE("the model's first five contain the best plan of at least 80 % of measured shapes") {
    const auto cases = measured_cases("docs/benchmarks/rows/h200-2026-11-28-tuning-v14.jsonl");
    REQUIRE(cases.size() == 12);
    const Target& target = find_target("sm_90a");
    size_t within = 0;
    for (const auto& [name, known] : cases) {
        std::vector<std::pair<double, std::string>> ranked;
        for (const Plan& plan : candidates(known.spec, target)) {
            ranked.emplace_back(predict(plan, known.shape, rates_for(target)).whole_call_ms,
                                plan_choices(plan));
        }
        std::stable_sort(ranked.begin(), ranked.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
        const std::string best = best_of(known);
        const auto place = std::find_if(ranked.begin(), ranked.end(),
                                        [&](const auto& each) { return each.second == best; });
        REQUIRE(place != ranked.end());
        within += place - ranked.begin() < 5;
    }
    CHECK(within >= 11);  // 12 when this was written
}
