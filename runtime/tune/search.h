// Finding the fastest of many candidates with few measurements.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "bench/samples.h"

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
    double first_ms = 5;  // measuring time in the first round; each round takes twice the last
    double last_ms = 160;
    // A winner that is not faster than the default by more than this share, or than the noise,
    // is not worth leaving the default for.
    double indifference = 0.005;
};

// One candidate's part in a search.
struct SearchEntry {
    size_t candidate = 0;
    std::optional<SampleSummary> ms;  // of the longest measurement; absent: pruned or failed
    double measured_ms = 0;           // how long that measurement took
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
};

// Measures a candidate for about that many milliseconds; nullopt where it fails, which takes it out
// of the race.
using Measure = std::function<std::optional<Measurement>(size_t candidate, double milliseconds)>;

// Asked before each measurement whether it must not be made any more.
using Stop = std::function<bool(size_t candidate, double milliseconds)>;

// The candidates a search begins with, in the order it measures them: the default, the early ones,
// then by prediction.
std::vector<size_t> starters(std::span<const double> predicted, const SearchOptions& options = {});

// Successive halving over medians: every candidate that is worth it gets a short measurement, the
// better half (and whoever is not distinguishable from it) one twice as long, until few are left or
// last_ms is reached. Candidate 0 is the default; it is measured first and last, so that the gain
// over it is known. predicted: milliseconds, for the order and for pruning. A round of which some
// were stopped is the last one; the rest of it is measured, as far as it may be.
SearchResult search(std::span<const double> predicted, const Measure& measure, const Stop& stop,
                    const SearchOptions& options = {});

}  // namespace sagejit
