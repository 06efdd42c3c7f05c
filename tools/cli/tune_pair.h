// Tuning one config for one shape, and what came of it.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config_file.h"
#include "output.h"
#include "shape_option.h"
#include "tune/model.h"
#include "tune/search.h"
#include "tune_session.h"

namespace sagejit::cli {

// A config on a device, with its candidates.
struct TuneConfig {
    const Config& config;
    const Target& target;
    Device device;
    TunedDevice described;
    GpuRates rates;
};

struct PairOutcome {
    const Config* config = nullptr;
    const Sizes* sizes = nullptr;
    std::string target;
    bool estimate = false;  // ranked by the model
    std::vector<Plan> plans;
    std::vector<Prediction> predictions;        // by plan
    std::map<size_t, CandidateResult> results;  // by plan; those that were tried
    SearchResult search;
    std::optional<TuningRecord> record;  // what was found out; absent where nothing could run
    double seconds = 0;

    // The place of the winner among the predictions, from 1; 0 without a winner.
    size_t predicted_rank() const;
    // Of the default plan's time; 0 where either is unknown.
    double gain() const;
};

// Called before each measurement: how many candidates were tried, of how many, and the best so far.
using TuneProgress = std::function<void(size_t tried, size_t of, const std::string& best)>;

// On a GPU: measures and appends the winner to the store. On the host device: ranks by the model,
// has the first few executed, prefers of those that are right and alike the one with the fewest
// instructions, and marks the record as an estimate.
PairOutcome tune_pair(const TuneConfig& config, const Sizes& sizes, TuneSession& session,
                      const TuningStore& store, const SearchOptions& options,
                      std::chrono::steady_clock::time_point deadline, const TuneProgress& progress);

Json outcome_json(const PairOutcome& outcome);

}  // namespace sagejit::cli
