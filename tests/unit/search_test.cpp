// The search for the fastest candidate, on candidates whose times are made up.
#include "tune/search.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include "tensor/random.h"

using namespace sagejit;

namespace {

// Candidates with true times, on a device that may drift. A measurement of m milliseconds is off by
// a noise that shrinks with m.
struct Made {
    std::vector<double> truth;
    double noise = 0;
    double drift = 0;   // the device gets slower by this share while it warms up
    double wander = 0;  // and goes on changing by about that, within a third of a second
    RandomStream random{1, 0};
    std::map<size_t, std::vector<double>> asked;  // measuring time, by candidate
    std::map<size_t, size_t> turns;               // of the race, by candidate
    double spent = 0;
    std::map<size_t, double> known;        // from before, measured that long
    std::map<size_t, size_t> known_turns;  // and from a race

    double step = 0;  // the clock is lower by that or is not, for about kStepMs each
    double wandered = 0;
    bool stepped = false;

    static constexpr double kWarmMs = 700, kWanderMs = 300, kStepMs = 60;

    double now(size_t i) const {
        return truth[i] * (1 + wandered + drift * (1 - std::exp(-spent / kWarmMs))) *
               (stepped ? 1 + step : 1);
    }

    SampleSummary sample(size_t i, double ms) {
        std::vector<double> samples;
        for (int n = 0; n < std::max(3, static_cast<int>(ms / truth[i])); ++n) {
            samples.push_back(now(i) * (1 + noise * random.normal()));
        }
        spent += ms;
        const double left = std::exp(-ms / kWanderMs);
        wandered = left * wandered + wander * std::sqrt(1 - left * left) * random.normal();
        if (step > 0 && random.uniform() > std::exp(-ms / kStepMs)) stepped = !stepped;
        return summarize(samples);
    }

    Measure measure() {
        return [this](size_t i, double ms) -> std::optional<Measurement> {
            asked[i].push_back(ms);
            if (truth[i] < 0) return std::nullopt;
            return Measurement{sample(i, ms), std::max(ms, known[i]), known_turns[i]};
        };
    }

    MeasureTurn measure_turn() {
        return [this](const std::vector<size_t>& order, double ms) {
            Turn turn;
            for (const size_t i : order) {
                ++turns[i];
                turn.ms.emplace_back(sample(i, ms).median);
                turn.spent_ms += ms;
            }
            return turn;
        };
    }
};

bool never(size_t, double) { return false; }

SearchResult run(Made& made, const std::vector<double>& predicted, SearchOptions options = {}) {
    return search(predicted, made.measure(), never, made.measure_turn(), options);
}

size_t fastest(const std::vector<double>& times) {
    return static_cast<size_t>(std::min_element(times.begin(), times.end()) - times.begin());
}

}  // namespace

TEST_CASE("a search finds the fastest candidate and measures few for long") {
    Made made;
    made.noise = 0.01;
    for (int i = 0; i < 64; ++i) made.truth.push_back(1 + 0.02 * ((i * 37 + 11) % 64));
    const size_t best = fastest(made.truth);
    const std::vector<double> flat(64, 1.0);
    const SearchResult result = run(made, flat);
    REQUIRE(result.winner);
    CHECK(made.truth[*result.winner] <= made.truth[best] * 1.01);
    CHECK(result.complete);
    CHECK(made.asked.size() == 64);
    CHECK(made.turns.size() < 10);
    CHECK(result.entries[best].turns >= 5);
    CHECK(made.spent < 64 * 5 + 1000);
    CHECK(made.asked.begin()->first == 0);
}

TEST_CASE("a device that drifts does not decide, as it would by measuring one after the other") {
    size_t misled = 0;
    for (uint64_t seed = 0; seed < 40; ++seed) {
        INFO(seed);
        Made made;
        made.random = RandomStream(seed, 0);
        made.drift = 0.15;
        made.wander = 0.02;
        made.noise = 0.005;
        // The default, then the model's favourites, which are measured first, while it is cool.
        for (int i = 0; i < 12; ++i) made.truth.push_back(1.04 - 0.0035 * i);
        const size_t best = fastest(made.truth);
        Made sequential = made;
        std::vector<double> times;
        for (size_t i = 0; i < 12; ++i) times.push_back(sequential.sample(i, 160).median);
        misled += sequential.truth[fastest(times)] > 1.02 * made.truth[best];

        const SearchResult result = run(made, std::vector<double>(12, 1.0));
        REQUIRE(result.winner);
        CHECK(made.truth[*result.winner] <= 1.02 * made.truth[best]);
        // What is told of the others is told of one state of the device.
        for (const SearchEntry& each : result.entries) {
            const double ratio = each.ms->median / result.entries[*result.winner].ms->median;
            const double true_ratio = made.truth[each.candidate] / made.truth[*result.winner];
            CHECK(ratio == Approx(true_ratio).epsilon(0.03));
        }
    }
    CHECK(misled > 20);
}

// The rule of before: two standard errors of a median, by the quartiles of as few as five turns.
// The winner, and by how much candidate 0 is behind it.
std::pair<size_t, double> hasty_race(size_t candidates, const MeasureTurn& measure,
                                     double milliseconds) {
    std::vector<size_t> left(candidates);
    std::iota(left.begin(), left.end(), size_t{0});
    std::vector<std::vector<double>> ms(candidates);
    RandomStream random(2, 0);
    size_t leader = 0;
    for (size_t turn = 1; turn <= 24 && left.size() > 1; ++turn) {
        std::vector<size_t> order = left;
        for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.bits() % i]);
        const Turn timed = measure(order, milliseconds);
        for (size_t i = 0; i < order.size(); ++i) ms[order[i]].push_back(*timed.ms[i]);
        if (turn < 5) continue;
        const auto against = [&](size_t i) {
            std::vector<double> logs;
            for (size_t t = 0; t < turn; ++t) logs.push_back(std::log(ms[i][t] / ms[leader][t]));
            return summarize(logs);
        };
        // Comparisons of medians may run in a circle.
        for (size_t tries = 0; tries < left.size(); ++tries) {
            for (const size_t i : left) {
                if (against(i).median < 0) leader = i;
            }
        }
        std::erase_if(left, [&](size_t i) {
            const SampleSummary logs = against(i);
            const double sigma = std::max((logs.q3 - logs.q1) / 1.349, 0.002);
            return logs.median > 2 * 1.2533 * sigma / std::sqrt(static_cast<double>(turn));
        });
    }
    std::vector<double> behind;
    for (size_t t = 0; t < ms[0].size(); ++t) behind.push_back(std::log(ms[0][t] / ms[leader][t]));
    return {leader, summarize(behind).median};
}

TEST_CASE("clock steps of 2.7 % do not decide between close candidates, as they once did") {
    size_t wrong = 0, hasty_wrong = 0, misjudged = 0, hasty_misjudged = 0;
    double spent = 0;
    constexpr size_t kRuns = 100;
    for (uint64_t seed = 0; seed < kRuns; ++seed) {
        Made made;
        made.random = RandomStream(seed, 3);
        made.step = 0.027;
        made.noise = 0.002;
        // Six are close, the rest make turns long, with steps of the clock in them.
        made.truth = {1.015, 1.0, 1.008, 1.01, 1.012, 1.02};
        for (int i = 0; i < 20; ++i) made.truth.push_back(1.05 + 0.005 * i);
        std::vector<size_t> all(made.truth.size());
        std::iota(all.begin(), all.end(), size_t{0});
        Made before = made;
        const auto behind = [&](size_t winner) {
            return std::log(made.truth[0] / made.truth[winner]);
        };
        const auto [hasty, told] = hasty_race(all.size(), before.measure_turn(), 12);
        hasty_wrong += made.truth[hasty] > 1.005;
        hasty_misjudged += std::abs(told - behind(hasty)) > 0.015;
        const RaceResult result = race(all, {0}, made.measure_turn(), {});
        wrong += made.truth[*result.winner] > 1.005;
        misjudged += std::abs(result.racers[0].behind.difference - behind(*result.winner)) > 0.015;
        spent += made.spent / kRuns;
    }
    INFO(wrong << " " << hasty_wrong << " " << misjudged << " " << hasty_misjudged << " " << spent);
    CHECK(hasty_misjudged >= 8);  // 13 when this was written
    CHECK(hasty_wrong > 0);
    CHECK(wrong == 0);
    CHECK(misjudged <= 1);
    CHECK(spent < 4000);
}

TEST_CASE("who is slower leaves a race early, and equals do not race for ever") {
    Made made;
    made.truth = {1.1, 1.0, 1.02, 1.0, 1.06};
    made.noise = 0.004;
    RaceOptions options;
    const RaceResult result = race({0, 1, 2, 3, 4}, {0}, made.measure_turn(), options);
    REQUIRE(result.winner);
    CHECK((*result.winner == 1 || *result.winner == 3));
    CHECK(result.complete);
    CHECK(result.racers[4].ms.size() == options.fewest_turns);
    CHECK(result.racers[2].ms.size() == options.close_turns);
    CHECK(result.racers[0].ms.size() == result.racers[*result.winner].ms.size());  // kept
    CHECK(result.racers[1].ms.size() < options.most_turns);
    CHECK(result.racers[2].behind.difference == Approx(std::log(1.02)).margin(0.01));
    CHECK(result.racers[2].behind.least > 0.01);
}

TEST_CASE("a race ends when its time is over, and not before its fewest turns") {
    Made made;
    made.truth = {1.0, 1.0, 1.0};
    made.noise = 1;  // nothing can be told
    made.random = RandomStream(7, 0);
    RaceOptions options;
    options.most_ms = 1;
    CHECK(race({0, 1, 2}, {0}, made.measure_turn(), options).racers[0].ms.size() ==
          options.fewest_turns);
    const RaceResult nothing = race(
        {0, 1}, {0}, [](const std::vector<size_t>&, double) { return Turn{}; }, options);
    CHECK_FALSE(nothing.winner);
    CHECK_FALSE(nothing.complete);
    CHECK(race({}, {0}, made.measure_turn(), options).complete);
}

TEST_CASE("a candidate that fails in a race leaves it, and one whose turns end decides so far") {
    Made made;
    made.truth = {1.0, 0.9, 1.05};
    size_t turn = 0;
    const MeasureTurn failing = [&](const std::vector<size_t>& order, double ms) {
        if (++turn > 3) return Turn{};
        Turn result = made.measure_turn()(order, ms);
        for (size_t i = 0; i < order.size(); ++i) {
            if (order[i] == 1 && turn == 2) result.ms[i].reset();
        }
        return result;
    };
    const RaceResult result = race({0, 1, 2}, {0}, failing, {});
    CHECK_FALSE(result.complete);
    REQUIRE(result.winner);
    CHECK(*result.winner == 0);
    CHECK(result.racers[1].ms.size() == 1);
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
    CHECK(made.turns[0] >= 5);
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
    int left = 2;  // turns of the race
    const SearchResult result =
        search(std::vector<double>(32, 1.0), made.measure(), never,
               [&](const std::vector<size_t>& order, double ms) {
                   return left-- > 0 ? made.measure_turn()(order, ms) : Turn{};
               });
    CHECK_FALSE(result.complete);
    REQUIRE(result.winner);
    CHECK(*result.winner == 31);
    CHECK(result.entries[31].turns == 2);
    const SearchResult nothing = search(
        std::vector<double>(2, 1.0), made.measure(), [](size_t, double) { return true; },
        made.measure_turn());
    CHECK_FALSE(nothing.winner);
}

TEST_CASE("after a stop the rest is asked for, and no race begins") {
    Made made;
    for (int i = 0; i < 32; ++i) made.truth.push_back(2 - 0.05 * i);
    // As if the last two were known from before, and the time were over.
    const auto only_known = [](size_t candidate, double) {
        return candidate != 0 && candidate < 30;
    };
    const SearchResult result =
        search(std::vector<double>(32, 1.0), made.measure(), only_known, made.measure_turn());
    CHECK_FALSE(result.complete);
    CHECK(*result.winner == 31);
    CHECK(made.asked.size() == 3);
    CHECK(made.turns.empty());
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
    const SearchResult result = search(
        std::vector<double>(6, 1.0), made.measure(),
        [](size_t candidate, double) { return candidate == 5; }, made.measure_turn());
    CHECK_FALSE(result.complete);
    CHECK(*result.winner == 1);
    CHECK(result.entries[3].measured_ms == 5);
    CHECK(result.entries[1].measured_ms == 160);
}

TEST_CASE("a race that is known is not held again, unless others are to race") {
    Made made;
    made.truth = {1, 0.9, 0.95, 2};
    made.known_turns = {{0, 5}, {1, 9}, {2, 5}};
    const SearchResult result = run(made, std::vector<double>(4, 1.0));
    CHECK(result.complete);
    CHECK(*result.winner == 1);
    CHECK(made.turns.empty());
    made.truth.push_back(0.92);
    CHECK(*run(made, std::vector<double>(5, 1.0)).winner == 1);
    CHECK(made.turns.size() == 4);
}

TEST_CASE("the plan in use races, however slow it is at first") {
    Made made;
    made.truth = {1, 0.9, 0.95, 0.92, 2};
    SearchOptions options;
    options.early = {4};
    const SearchResult result = run(made, std::vector<double>(5, 1.0), options);
    CHECK(result.entries[4].turns > 0);
    CHECK(*result.winner == 1);
}
