// The search for the fastest candidate, on candidates whose times are made up.
#include "tune/search.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <vector>

#include "tensor/random.h"

using namespace sagejit;

namespace {

// Candidates with true times; a measurement of m milliseconds is off by a noise that shrinks with
// m.
struct Made {
    std::vector<double> truth;
    double noise = 0;
    RandomStream random{1, 0};
    std::map<size_t, std::vector<double>> asked;  // measuring time, by candidate
    double spent = 0;
    std::map<size_t, double> known;  // from before, measured that long

    Measure measure() {
        return [this](size_t i, double ms) -> std::optional<Measurement> {
            asked[i].push_back(ms);
            spent += ms;
            if (truth[i] < 0) return std::nullopt;
            std::vector<double> samples;
            for (int n = 0; n < std::max(3, static_cast<int>(ms / truth[i])); ++n) {
                samples.push_back(truth[i] * (1 + noise * random.normal()));
            }
            return Measurement{summarize(samples), std::max(ms, known[i])};
        };
    }
};

bool never(size_t, double) { return false; }

SearchResult run(Made& made, const std::vector<double>& predicted, SearchOptions options = {}) {
    return search(predicted, made.measure(), never, options);
}

}  // namespace

TEST_CASE("a search finds the fastest candidate and measures few for long") {
    Made made;
    made.noise = 0.01;
    for (int i = 0; i < 64; ++i) made.truth.push_back(1 + 0.02 * ((i * 37 + 11) % 64));
    const auto best = std::min_element(made.truth.begin(), made.truth.end()) - made.truth.begin();
    const std::vector<double> flat(64, 1.0);
    const SearchResult result = run(made, flat);
    REQUIRE(result.winner);
    CHECK(made.truth[*result.winner] <= made.truth[best] * 1.02);
    CHECK(result.complete);
    CHECK(made.asked.size() == 64);
    CHECK(made.asked[best].back() == 160);
    // An exhaustive measurement at the last round's length would take 64 * 160.
    CHECK(made.spent < 0.25 * 64 * 160);
    CHECK(made.asked.begin()->first == 0);
}

TEST_CASE("candidates predicted to be far slower are not measured, unless all are asked for") {
    std::vector<double> predicted;
    for (int i = 0; i < 40; ++i) predicted.push_back(1 + i);
    Made made;
    made.truth = predicted;
    const SearchResult result = run(made, predicted);
    CHECK(*result.winner == 0);
    CHECK(made.asked.size() == 16);
    CHECK(result.entries[39].pruned);
    CHECK_FALSE(result.entries[3].pruned);
    SearchOptions all;
    all.exhaustive = true;
    Made again;
    again.truth = predicted;
    CHECK_FALSE(run(again, predicted, all).entries[39].pruned);
    CHECK(again.asked.size() == 40);
}

TEST_CASE("the default is measured whatever is predicted for it, and kept unless beaten clearly") {
    Made made;
    made.truth = {1.0, 0.998, 1.2, 1.3};
    const std::vector<double> predicted = {90, 1, 1, 1};
    CHECK(*run(made, predicted).winner == 0);  // 0.2 % is not worth it
    CHECK(made.asked[0].back() == 160);
    made.truth = {1.0, 0.9, 1.2, 1.3};
    CHECK(*run(made, predicted).winner == 1);
}

TEST_CASE("candidates that fail leave the race") {
    Made made;
    made.truth = {1, -1, 0.5, -1, 2};
    SearchResult result = run(made, std::vector<double>(5, 1.0));
    CHECK(*result.winner == 2);
    CHECK_FALSE(result.entries[1].ms);
    CHECK(made.asked[1].size() == 1);
    made.truth = {-1, -1};
    result = run(made, std::vector<double>(2, 1.0));
    CHECK_FALSE(result.winner);
    made.truth = {-1, 3};  // the default itself fails
    CHECK(*run(made, std::vector<double>(2, 1.0)).winner == 1);
    made.truth.clear();
    CHECK_FALSE(run(made, {}).winner);
}

TEST_CASE("a search that is stopped names the best so far") {
    Made made;
    for (int i = 0; i < 32; ++i) made.truth.push_back(2 - 0.05 * i);
    int left = 40;  // into the second round
    const SearchResult result = search(std::vector<double>(32, 1.0), made.measure(),
                                       [&left](size_t, double) { return left-- <= 0; }, {});
    CHECK_FALSE(result.complete);
    REQUIRE(result.winner);
    CHECK(*result.winner == 31);
    const SearchResult nothing = search(std::vector<double>(2, 1.0), made.measure(),
                                        [](size_t, double) { return true; }, {});
    CHECK_FALSE(nothing.winner);
}

TEST_CASE("after a stop the rest of the round is asked for, and no other round begins") {
    Made made;
    for (int i = 0; i < 32; ++i) made.truth.push_back(2 - 0.05 * i);
    // As if the last two were known from before, and the time were over.
    const auto only_known = [](size_t candidate, double) {
        return candidate != 0 && candidate < 30;
    };
    const SearchResult result =
        search(std::vector<double>(32, 1.0), made.measure(), only_known, {});
    CHECK_FALSE(result.complete);
    CHECK(*result.winner == 31);
    CHECK(made.asked.size() == 3);
    for (const auto& [candidate, times] : made.asked) CHECK(times.size() == 1);
}

TEST_CASE("the plan in use is measured early, however slow the model thinks it") {
    SearchOptions options;
    options.early = {39};
    std::vector<double> predicted;
    for (int i = 0; i < 40; ++i) predicted.push_back(1 + i);
    const std::vector<size_t> order = starters(predicted, options);
    CHECK(order.size() == 16);
    CHECK(order[0] == 0);
    CHECK(order[1] == 39);
    CHECK(order[2] == 1);
}

TEST_CASE("a short measurement does not beat what is known from a long one") {
    Made made;
    made.truth = {1, 0.9, 1.1, 0.8, 1.2, 1.3};
    made.known = {{0, 160}, {1, 160}};
    int left = 6;  // the first round
    const SearchResult result = search(std::vector<double>(6, 1.0), made.measure(),
                                       [&left](size_t, double) { return left-- <= 0; }, {});
    CHECK_FALSE(result.complete);
    CHECK(*result.winner == 1);
    CHECK(result.entries[3].measured_ms == 5);
    CHECK(result.entries[1].measured_ms == 160);
}
