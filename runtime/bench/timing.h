// How long work on a stream takes: on a GPU between two events, so without the host's part; on the
// host device by the clock.
#pragma once

#include <cstdint>
#include <functional>

#include "bench/samples.h"
#include "sagejit/stream.h"

namespace sagejit {

struct TimingOptions {
    double warmup_ms = 100;   // of launches before the first sample; at least one launch
    double measure_ms = 300;  // of samples, more or less
    int min_samples = 10;
    int max_samples = 1000;
    // Exactly this many samples after exactly one warm-up launch; 0: as many as measure_ms holds.
    int iterations = 0;
    // A sample is as many launches back to back as take this long: between the launches of one
    // sample the stream never runs dry, so short kernels are not timed by the host's launch rate.
    double sample_ms = 2;
    // The host waits this long before each sample, for the GPU to be idle: what a call takes that
    // comes now and then, before the GPU's power limit lowers its clock. 0: samples follow one
    // another.
    double rest_ms = 0;
};

struct Timing {
    SampleSummary ms;  // of one launch
    int launches_per_sample = 1;
};

// Times launch(i), which enqueues work on the stream; i counts up from 0 over all launches, for
// rotating among inputs. Throws what launch and the stream throw.
Timing time_launches(const Stream& stream, const std::function<void(int64_t)>& launch,
                     const TimingOptions& options);

// The same with one launch a sample, each behind its own pair of events: what a single call in a
// busy stream costs, launch gaps included. launches_per_sample is 1.
Timing time_single_launches(const Stream& stream, const std::function<void(int64_t)>& launch,
                            const TimingOptions& options);

}  // namespace sagejit
