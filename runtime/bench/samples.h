// Many timings of one thing, summed up so that a hiccup does not decide.
#pragma once

#include <cstddef>
#include <vector>

namespace sagejit {

// Order statistics of a set of samples, in the samples' unit. All 0 for no samples.
struct SampleSummary {
    double median = 0;
    double q1 = 0, q3 = 0;  // quartiles: half of the samples lie between them
    double min = 0, max = 0;
    size_t count = 0;
};

// Quantiles interpolate linearly between the two nearest samples.
SampleSummary summarize(std::vector<double> samples);

}  // namespace sagejit
