// Comparing a few candidates on a device that drifts.
//
// A GPU that has just begun to work is cool and runs up to 17 % faster than the same GPU a second
// later, by rows of an H200 (docs/benchmarks/rows/h200-2026-11-28-tuning.jsonl), and its clock goes
// on changing by several percent. So times of different moments cannot be compared. Here all
// candidates are measured in turns, each for a moment, and compared within each turn. Clocks also
// go up and down in steps of 2.7 %, which fall between two of a turn now and then; so what a few
// turns say of candidates closer than that is chance.
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
    // Those within this of the leader stay for at least so many turns.
    double close = 0.03;
    size_t close_turns = 12;
    double most_ms = 6000;  // after the fewest turns, no turn begins later than that
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
// the ratio of their times, and its median over the turns. least: what the median of ever more
// turns would exceed but for one case in a hundred (the sign test, so whatever the distribution
// is); of fewer than seven turns, which cannot say so much, the least of all.
struct Paired {
    double difference = 0, least = 0;
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
// leader beyond doubt leaves, after fewest_turns or, if it is close, close_turns. It ends when one
// is left, or nobody left can be faster than the leader by more than the indifference, or with the
// last turn. keep: candidates that stay whatever they are found to be, so that the gain over them
// is known as well as anything is; those that are surely slower do not keep the race from ending.
RaceResult race(const std::vector<size_t>& candidates, const std::vector<size_t>& keep,
                const MeasureTurn& measure, const RaceOptions& options);

}  // namespace sagejit
