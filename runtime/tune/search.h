// Finding the fastest of many candidates with few measurements.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "bench/samples.h"
#include "tune/race.h"

namespace sagejit {

struct SearchOptions {
    bool exhaustive = false;  // measure every candidate, whatever the model says
    // Otherwise: those predicted to take at most this many times as long as the best prediction,
    // and no fewer than keep_at_least.
    double prune_ratio = 2;
    size_t keep_at_least = 16;
    // Right after the default, whatever is predicted of them: the plan in use so far, so that a
    // search that is cut short does not end below it.
    std::vector<size_t> early;
    double first_ms = 5;  // of the first measurement of each
    // Those that take at most this much longer than the fastest of them race. The order in which
    // they are first measured, while the device warms up, moves times by about half of it.
    double race_within = 0.12;
    size_t race_at_least = 3;
    // A winner that is not faster than the default by more than race.indifference, or than is
    // beyond doubt, is not worth leaving the default for.
    RaceOptions race;
};

// One candidate's part in a search.
struct SearchEntry {
    size_t candidate = 0;
    std::optional<SampleSummary> ms;  // of the race, or before it; absent: pruned or failed
    double measured_ms = 0;           // how long it was measured for that
    size_t turns = 0;                 // of the race; 0: took no part
    bool pruned = false;
};

struct SearchResult {
    std::vector<SearchEntry> entries;  // by candidate
    std::optional<size_t> winner;      // absent where nothing could be measured
    bool complete = true;              // false: stopped before the end
    double noise = 0;                  // half the winner's quartile distance over its median
};

struct Measurement {
    SampleSummary ms;
    double measured_ms = 0;  // about as long as asked for; longer where it was known already
    size_t turns = 0;        // of the race that it is known from
};

// Measures a candidate for about that many milliseconds; nullopt where it fails, which takes it out
// of the race.
using Measure = std::function<std::optional<Measurement>(size_t candidate, double milliseconds)>;

// Asked before each measurement whether it must not be made any more.
using Stop = std::function<bool(size_t candidate, double milliseconds)>;

// The candidates a search begins with, in the order it measures them: the default, the early ones,
// then by prediction.
std::vector<size_t> starters(std::span<const double> predicted, const SearchOptions& options = {});

// Every candidate that is worth it gets a short measurement, and the fastest of them race (see
// tune/race.h). Candidate 0 is the default; it is measured first, and races whatever its time, as
// the early ones do. predicted: milliseconds, for the order and for pruning. Where all that would
// race are known from a race before, there is no other. When some of the short measurements were
// stopped the rest of them is made, as far as it may be, and there is no race.
SearchResult search(std::span<const double> predicted, const Measure& measure, const Stop& stop,
                    const MeasureTurn& measure_turn, const SearchOptions& options = {});

}  // namespace sagejit
