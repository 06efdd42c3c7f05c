#include "tune/search.h"

#include <algorithm>
#include <numeric>

namespace sagejit {
namespace {

double half_spread(const SampleSummary& ms) { return (ms.q3 - ms.q1) / 2; }

// Fast candidates first, but the default before all, and then the early ones.
std::vector<size_t> order_of(std::span<const double> predicted, const SearchOptions& options) {
    std::vector<size_t> order(predicted.size());
    std::iota(order.begin(), order.end(), size_t{0});
    if (order.empty()) return order;
    const auto is_late = [&options](size_t i) {
        return std::find(options.early.begin(), options.early.end(), i) == options.early.end();
    };
    std::stable_sort(order.begin() + 1, order.end(), [&](size_t a, size_t b) {
        if (is_late(a) != is_late(b)) return is_late(b);
        return predicted[a] < predicted[b];
    });
    return order;
}

std::vector<size_t> pruned_order(std::span<const double> predicted, const SearchOptions& options) {
    std::vector<size_t> order = order_of(predicted, options);
    if (options.exhaustive || order.empty()) return order;
    const double limit =
        options.prune_ratio * *std::min_element(predicted.begin(), predicted.end());
    std::vector<size_t> kept;
    for (size_t place = 0; place < order.size(); ++place) {
        if (place < options.keep_at_least || predicted[order[place]] <= limit) {
            kept.push_back(order[place]);
        }
    }
    return kept;
}

class Search {
  public:
    Search(std::span<const double> predicted, const Measure& measure, const Stop& stop,
           const MeasureTurn& measure_turn, const SearchOptions& options)
        : predicted_(predicted),
          measure_(measure),
          stop_(stop),
          measure_turn_(measure_turn),
          options_(options) {
        result_.entries.resize(predicted.size());
        for (size_t i = 0; i < predicted.size(); ++i) {
            result_.entries[i].candidate = i;
            result_.entries[i].pruned = true;
        }
    }

    SearchResult run() {
        std::vector<size_t> order = pruned_order(predicted_, options_);
        for (const size_t i : order) entry(i).pruned = false;
        measure_all(order);
        std::erase_if(order, [this](size_t i) { return !entry(i).ms; });
        if (result_.complete && order.size() > 1) {
            const std::vector<size_t> racers = qualified(std::move(order));
            if (!raced(racers)) hold_race(racers);
        }
        if (!result_.winner) decide();
        return std::move(result_);
    }

  private:
    SearchEntry& entry(size_t candidate) { return result_.entries[candidate]; }
    double median(size_t candidate) { return entry(candidate).ms->median; }

    void measure_all(const std::vector<size_t>& order) {
        for (const size_t i : order) {
            if (stop_(i, options_.first_ms)) {
                result_.complete = false;
                continue;
            }
            const std::optional<Measurement> measured = measure_(i, options_.first_ms);
            if (!measured) continue;
            entry(i).ms = measured->ms;
            entry(i).measured_ms = measured->measured_ms;
            entry(i).turns = measured->turns;
        }
    }

    // The default and the early ones, and whoever is not much slower than the fastest.
    std::vector<size_t> qualified(std::vector<size_t> order) {
        std::vector<size_t> by_time = order;
        std::stable_sort(by_time.begin(), by_time.end(),
                         [this](size_t a, size_t b) { return median(a) < median(b); });
        const size_t last = std::min(options_.race_at_least, by_time.size()) - 1;
        const double limit =
            std::max(median(by_time[last]), median(by_time[0]) * (1 + options_.race_within));
        std::erase_if(order, [&](size_t i) {
            const bool is_early =
                std::find(options_.early.begin(), options_.early.end(), i) != options_.early.end();
            return i != 0 && !is_early && median(i) > limit;
        });
        return order;
    }

    bool raced(const std::vector<size_t>& racers) {
        return std::all_of(racers.begin(), racers.end(),
                           [this](size_t i) { return entry(i).turns > 0; });
    }

    void hold_race(const std::vector<size_t>& racers) {
        std::vector<size_t> keep = options_.early;
        keep.push_back(0);
        const RaceResult raced = race(racers, keep, measure_turn_, options_.race);
        result_.complete = raced.complete;
        if (!raced.winner) return;
        for (SearchEntry& each : result_.entries) each.turns = 0;  // of races before
        const Racer* standard = nullptr;
        for (const Racer& each : raced.racers) {
            if (each.ms.empty()) continue;
            SearchEntry& known = entry(each.candidate);
            known.ms = each.summary;
            known.turns = each.ms.size();
            known.measured_ms = static_cast<double>(known.turns) * options_.race.turn_ms;
            if (each.candidate == 0) standard = &each;
        }
        size_t winner = raced.racers[*raced.winner].candidate;
        if (standard != nullptr && (standard->behind.difference <= options_.race.indifference ||
                                    standard->behind.least <= 0)) {
            winner = 0;
        }
        name_winner(winner);
    }

    // By measurements of different moments, where there was no race or it is known.
    void decide() {
        double longest = 0;
        size_t most_turns = 0;
        for (const SearchEntry& each : result_.entries) {
            if (!each.ms) continue;
            longest = std::max(longest, each.measured_ms);
            most_turns = std::max(most_turns, each.turns);
        }
        // Who left a race early was slower for sure. Otherwise a short measurement says little
        // beside a long one.
        const auto counts = [&](const SearchEntry& each) {
            return each.ms && (each.turns > 0) == (most_turns > 0) &&
                   (each.turns > 0 || each.measured_ms * 2 >= longest);
        };
        std::optional<size_t> best;
        for (const SearchEntry& each : result_.entries) {
            if (counts(each) && (!best || each.ms->median < median(*best))) best = each.candidate;
        }
        if (!best) return;
        const SearchEntry& standard = entry(0);
        if (counts(standard)) {
            const double gain = standard.ms->median - median(*best);
            const double doubt = std::max(options_.race.indifference * standard.ms->median,
                                          half_spread(*entry(*best).ms));
            if (gain <= doubt) best = 0;
        }
        name_winner(*best);
    }

    void name_winner(size_t candidate) {
        result_.winner = candidate;
        result_.noise = half_spread(*entry(candidate).ms) / std::max(median(candidate), 1e-12);
    }

    std::span<const double> predicted_;
    const Measure& measure_;
    const Stop& stop_;
    const MeasureTurn& measure_turn_;
    const SearchOptions& options_;
    SearchResult result_;
};

}  // namespace

std::vector<size_t> starters(std::span<const double> predicted, const SearchOptions& options) {
    return pruned_order(predicted, options);
}

SearchResult search(std::span<const double> predicted, const Measure& measure, const Stop& stop,
                    const MeasureTurn& measure_turn, const SearchOptions& options) {
    return Search(predicted, measure, stop, measure_turn, options).run();
}

}  // namespace sagejit
