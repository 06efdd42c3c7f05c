// One measurement as a JSON row.
#pragma once

#include <string>

#include "bench/bench.h"
#include "config_file.h"
#include "output.h"
#include "sagejit/sagejit.h"
#include "shape_option.h"

namespace sagejit::cli {

// What is measured.
struct BenchSubject {
    const Config& config;
    const Plan& plan;
    const Sizes& sizes;
    const Device& device;
    TuningMatch match = TuningMatch::kNone;  // what chose the plan
    int rotate = 0;                          // operand sets
    std::string nvidia_driver;               // "580.159.03"; empty where unknown
    double rest_s = 0;                       // before each sample
};

// "q128 k64 w16 s3": tiles, queries a warp, stages; then " c2" where CTAs form clusters.
std::string plan_summary(const Plan& plan);

// The fields that tell what is measured and where; row_json and error_row_json begin with them.
Json subject_json(const BenchSubject& subject);
Json row_json(const BenchSubject& subject, const Kernel& kernel, const BenchResult& result);
// A plan that could not be measured.
Json error_row_json(const BenchSubject& subject, const Error& error);

}  // namespace sagejit::cli
