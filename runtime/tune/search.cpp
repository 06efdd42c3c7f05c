#include "tune/search.h"

#include <algorithm>
#include <numeric>

namespace sagejit {
namespace {

constexpr size_t kFinalists = 3;

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

class Race {
  public:
    Race(std::span<const double> predicted, const Measure& measure, const Stop& stop,
         const SearchOptions& options)
        : predicted_(predicted), measure_(measure), stop_(stop), options_(options) {
        result_.entries.resize(predicted.size());
        for (size_t i = 0; i < predicted.size(); ++i) {
            result_.entries[i].candidate = i;
            result_.entries[i].pruned = true;
        }
    }

    SearchResult run() {
        std::vector<size_t> active = pruned_order(predicted_, options_);
        for (const size_t i : active) entry(i).pruned = false;
        for (double ms = options_.first_ms; !active.empty(); ms *= 2) {
            const bool last = active.size() <= kFinalists || ms >= options_.last_ms;
            if (!measure_all(active, last ? options_.last_ms : ms)) break;
            std::erase_if(active, [this](size_t i) { return !entry(i).ms; });
            if (last) break;
            active = better_half(std::move(active));
        }
        decide();
        return std::move(result_);
    }

  private:
    SearchEntry& entry(size_t candidate) { return result_.entries[candidate]; }
    double median(size_t candidate) { return entry(candidate).ms->median; }

    // False when told to stop.
    bool measure_all(const std::vector<size_t>& active, double ms) {
        for (const size_t i : active) {
            if (stop_(i, ms)) {
                result_.complete = false;
                continue;
            }
            const std::optional<Measurement> measured = measure_(i, ms);
            entry(i).ms.reset();
            if (!measured) continue;
            entry(i).ms = measured->ms;
            entry(i).measured_ms = measured->measured_ms;
        }
        return result_.complete;
    }

    // Those no slower than the median candidate, or than the best within both spreads; and the
    // default.
    std::vector<size_t> better_half(std::vector<size_t> active) {
        std::stable_sort(active.begin(), active.end(),
                         [this](size_t a, size_t b) { return median(a) < median(b); });
        const size_t half = std::max(kFinalists, (active.size() + 1) / 2);
        const SampleSummary& best = *entry(active.front()).ms;
        std::vector<size_t> kept;
        for (size_t place = 0; place < active.size(); ++place) {
            const size_t i = active[place];
            const double doubt = half_spread(best) + half_spread(*entry(i).ms);
            const bool close = median(i) - best.median <= doubt && place < 2 * half;
            if (place < half || (close && kept.size() + 1 < active.size()) || i == 0) {
                kept.push_back(i);
            }
        }
        return kept;
    }

    void decide() {
        double longest = 0;
        for (const SearchEntry& each : result_.entries) {
            if (each.ms) longest = std::max(longest, each.measured_ms);
        }
        // Of those measured longest; a stop in the middle of a round leaves some of them behind,
        // so whoever was measured at least half as long counts too.
        std::optional<size_t> best;
        for (const SearchEntry& each : result_.entries) {
            if (!each.ms || each.measured_ms * 2 < longest) continue;
            if (!best || each.ms->median < median(*best)) best = each.candidate;
        }
        if (!best) return;
        const SearchEntry& standard = entry(0);
        if (standard.ms && standard.measured_ms * 2 >= longest) {
            const double gain = standard.ms->median - median(*best);
            const double doubt = std::max(options_.indifference * standard.ms->median,
                                          half_spread(*entry(*best).ms));
            if (gain <= doubt) best = 0;
        }
        result_.winner = best;
        result_.noise = half_spread(*entry(*best).ms) / std::max(median(*best), 1e-12);
    }

    std::span<const double> predicted_;
    const Measure& measure_;
    const Stop& stop_;
    const SearchOptions& options_;
    SearchResult result_;
};

}  // namespace

std::vector<size_t> starters(std::span<const double> predicted, const SearchOptions& options) {
    return pruned_order(predicted, options);
}

SearchResult search(std::span<const double> predicted, const Measure& measure, const Stop& stop,
                    const SearchOptions& options) {
    return Race(predicted, measure, stop, options).run();
}

}  // namespace sagejit
