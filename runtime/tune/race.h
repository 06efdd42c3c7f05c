// Comparing a few candidates on a device that drifts.
//
// A GPU that has just begun to work is cool and runs up to 17 % faster than the same GPU a second
// later, by rows of an H200 (docs/benchmarks/rows/h200-2026-11-28-tuning.jsonl), and its clock goes
// on changing by several percent. So times of different moments cannot be compared. Here all
// candidates are measured in turns, each for a moment, and compared within each turn.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "bench/samples.h"

namespace sagejit {

struct RaceOptions {
    double turn_ms = 12;  // of each candidate in each turn
    size_t fewest_turns = 5, most_turns = 24;
    double most_ms = 4000;  // after the fewest turns, no turn begins later than that
    // Candidates that differ by less are as good as each other.
    double indifference = 0.005;
};

// Milliseconds by place in the order that was asked for; empty where nothing could be measured.
struct Turn {
    std::vector<std::optional<double>> ms;
    double spent_ms = 0;
};

// Measures these in that order, one right after the other, for about that many milliseconds each.
using MeasureTurn = std::function<Turn(const std::vector<size_t>& order, double milliseconds)>;

// How one candidate compares with another over the turns that both took part in: the logarithm of
// the ratio of their times, its median over the turns, and two standard errors of that.
struct Paired {
    double difference = 0, doubt = 0;
    size_t turns = 0;
};

struct Racer {
    size_t candidate = 0;
    std::vector<double> ms;  // by turn; it left the race after the last of them
    // As long as it would have taken in the winner's turns: the winner's median times the ratio.
    SampleSummary summary;
    Paired behind;  // the winner
};

struct RaceResult {
    std::vector<Racer> racers;     // in the order they were given; those never measured without ms
    std::optional<size_t> winner;  // its place among racers
    bool complete = true;          // false: stopped
};

// In every turn all that are left are measured, in an order drawn anew. Who is slower than the
// leader beyond doubt leaves. It ends when one is left, or nobody left can be faster than the
// leader by more than the indifference, or with the last turn. keep: stays whatever it is found to
// be, so that the gain over it is known well; it does not keep the race from ending.
RaceResult race(const std::vector<size_t>& candidates, size_t keep, const MeasureTurn& measure,
                const RaceOptions& options);

}  // namespace sagejit
