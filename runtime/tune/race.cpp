#include "tune/race.h"

#include <algorithm>
#include <cmath>

#include "tensor/random.h"

namespace sagejit {
namespace {

constexpr double kChance = 0.01;

// How many of the lowest of n values drawn independently may be below the median of what they are
// drawn from, but for that chance; at least one is taken to be.
size_t lowest_below_median(size_t n) {
    double exactly = std::pow(0.5, static_cast<double>(n)), at_most = exactly;
    size_t below = 0;  // at_most: the chance that no more than that many are below it
    while (below < n && at_most <= kChance) {
        ++below;
        exactly *= static_cast<double>(n - below + 1) / static_cast<double>(below);
        at_most += exactly;
    }
    return std::max<size_t>(below, 1);
}

Paired compare(const Racer& racer, const Racer& with) {
    Paired result;
    result.turns = std::min(racer.ms.size(), with.ms.size());
    if (result.turns == 0) return result;
    std::vector<double> logs;
    for (size_t turn = 0; turn < result.turns; ++turn) {
        logs.push_back(std::log(racer.ms[turn] / with.ms[turn]));
    }
    std::sort(logs.begin(), logs.end());
    result.least = logs[lowest_below_median(result.turns) - 1];
    result.difference = summarize(std::move(logs)).median;
    return result;
}

class Race {
  public:
    Race(const std::vector<size_t>& candidates, const std::vector<size_t>& keep,
         const MeasureTurn& measure, const RaceOptions& options)
        : keep_(keep), measure_(measure), options_(options) {
        for (size_t i = 0; i < candidates.size(); ++i) {
            result_.racers.push_back({candidates[i], {}, {}, {}});
            active_.push_back(i);
        }
    }

    RaceResult run() {
        double spent = 0;
        for (size_t turn = 0; turn < options_.most_turns && !active_.empty(); ++turn) {
            if (turn >= options_.fewest_turns && spent >= options_.most_ms) break;
            if (!take_turn(spent) || active_.empty()) break;
            leader_ = leader();
            if (turn + 1 < options_.fewest_turns) continue;
            if (settled()) break;
            drop_slower();
        }
        sum_up();
        return std::move(result_);
    }

  private:
    Racer& racer(size_t place) { return result_.racers[place]; }

    // False where there is no going on.
    bool take_turn(double& spent) {
        std::vector<size_t> places = active_;
        for (size_t i = places.size(); i > 1; --i) {
            std::swap(places[i - 1], places[static_cast<size_t>(random_.bits() % i)]);
        }
        std::vector<size_t> order;
        for (const size_t place : places) order.push_back(racer(place).candidate);
        const Turn turn = measure_(order, options_.turn_ms);
        spent += turn.spent_ms;
        if (turn.ms.size() != order.size()) {
            result_.complete = false;
            return false;
        }
        for (size_t i = 0; i < places.size(); ++i) {
            if (turn.ms[i] && *turn.ms[i] > 0) {
                racer(places[i]).ms.push_back(*turn.ms[i]);
            } else {
                std::erase(active_, places[i]);
            }
        }
        return true;
    }

    // The fastest of those left.
    size_t leader() const {
        size_t best = active_.front();
        // Comparisons of medians may run in a circle.
        for (size_t tries = 0; tries < active_.size(); ++tries) {
            const size_t with = best;
            double least = 0;
            for (const size_t place : active_) {
                const double difference =
                    compare(result_.racers[place], result_.racers[with]).difference;
                if (difference >= least) continue;
                least = difference;
                best = place;
            }
            if (best == with) break;
        }
        return best;
    }

    // Whether its turns say enough of a candidate as close to the leader as they make it.
    bool enough(const Paired& paired) const {
        return paired.turns >= options_.close_turns || paired.difference > options_.close;
    }

    bool settled() {
        return std::all_of(active_.begin(), active_.end(), [this](size_t place) {
            if (place == leader_) return true;
            const Paired paired = compare(racer(place), racer(leader_));
            return enough(paired) && paired.least > -options_.indifference;
        });
    }

    void drop_slower() {
        std::erase_if(active_, [this](size_t place) {
            if (place == leader_ || is_kept(place)) return false;
            const Paired paired = compare(racer(place), racer(leader_));
            return enough(paired) && paired.least > 0;
        });
    }

    bool is_kept(size_t place) {
        return std::find(keep_.begin(), keep_.end(), racer(place).candidate) != keep_.end();
    }

    void sum_up() {
        if (active_.empty() || racer(leader_).ms.empty()) return;
        result_.winner = leader_;
        const SampleSummary best = summarize(racer(leader_).ms);
        for (Racer& each : result_.racers) {
            if (each.ms.empty()) continue;
            each.behind = compare(each, racer(leader_));
            if (&each == &racer(leader_)) {
                each.summary = best;
                continue;
            }
            std::vector<double> scaled;
            for (size_t turn = 0; turn < each.behind.turns; ++turn) {
                scaled.push_back(best.median * each.ms[turn] / racer(leader_).ms[turn]);
            }
            each.summary = summarize(std::move(scaled));
        }
    }

    const std::vector<size_t>& keep_;
    const MeasureTurn& measure_;
    const RaceOptions& options_;
    RandomStream random_{1, 0};
    std::vector<size_t> active_;  // places
    size_t leader_ = 0;
    RaceResult result_;
};

}  // namespace

RaceResult race(const std::vector<size_t>& candidates, const std::vector<size_t>& keep,
                const MeasureTurn& measure, const RaceOptions& options) {
    return Race(candidates, keep, measure, options).run();
}

}  // namespace sagejit
