// What tuning found out, one line of JSON each.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "sagejit/generator/plan.h"
#include "tune/bucket.h"

namespace sagejit {

// The text of a request for tuning: canonical JSON in one line without the name, which changes
// nothing, and the target, which records hold beside it.
std::string tuning_identity(Spec spec);

// What tuning chooses in a plan, as one line of JSON: the members in which candidates differ.
std::string plan_choices(const Plan& plan);

// A device as records know it.
struct TunedDevice {
    std::string name;  // "NVIDIA H200"
    int multiprocessors = 0;
    std::string compute_capability;  // "9.0"
    std::string driver;              // "580.159.03"; empty where unknown

    // The driver may differ.
    bool same_gpu(const TunedDevice& other) const {
        return name == other.name && multiprocessors == other.multiprocessors;
    }
};

// Milliseconds of one launch: median and quartiles.
struct RecordedTime {
    double median = 0, q1 = 0, q3 = 0;
    size_t samples = 0;
};

// The winner for one request, target, device and bucket.
struct TuningRecord {
    std::string identity;  // tuning_identity
    std::string target;
    std::string choices;  // plan_choices of the winner
    TunedDevice device;
    std::string generator;  // the generator that emitted it
    ShapeBucket bucket;
    Shape shape;  // that was measured
    // Correctness comes first: error against fp64 attention on a small problem, and its limit.
    double rel_l1 = 0, rel_l1_limit = 0;
    std::optional<RecordedTime> whole_call, attention;                  // measured
    std::optional<RecordedTime> default_whole_call, default_attention;  // of the default plan
    double predicted_ms = 0, default_predicted_ms = 0;                  // whole call, by the model
    std::optional<double> sm_clock_mhz;
    bool estimate = false;  // ranked by the model, not measured
    size_t candidates = 0, measured = 0;
    std::string time;  // UTC

    bool passed() const { return rel_l1 <= rel_l1_limit; }
};

// One line, without the newline.
std::string to_line(const TuningRecord& record);
// nullopt for anything that is not a whole record. Trusts none of the text.
std::optional<TuningRecord> parse_record(std::string_view line);

}  // namespace sagejit
