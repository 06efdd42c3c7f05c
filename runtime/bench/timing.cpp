#include "bench/timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <thread>
#include <vector>

namespace sagejit {
namespace {

// Samples enqueued before the host waits, so that the stream does not run dry between them.
constexpr int kSamplesInFlight = 8;
// A sample of more launches than this would fill the driver's queue.
constexpr int kMostLaunches = 256;

class Timer {
  public:
    Timer(const Stream& stream, const std::function<void(int64_t)>& launch, double rest_ms,
          int64_t launched = 0)
        : stream_(stream), launch_(launch), rest_(rest_ms), next_(launched) {
        const int in_flight = rest_ms > 0 ? 1 : kSamplesInFlight;
        for (int i = 0; i < in_flight; ++i) {
            timers_.push_back(std::make_unique<StreamTimer>(stream));
        }
    }

    // Launches so far, those of timers before this one included.
    int64_t launched() const { return next_; }

    // Milliseconds of each of `count` samples of `launches` launches, for one launch.
    // lead: an untimed launch goes ahead of each batch, so that the first event of a batch is
    // recorded while the stream is busy.
    std::vector<double> sample(int count, int launches, bool lead) {
        std::vector<double> result;
        while (static_cast<int>(result.size()) < count) {
            const int batch =
                std::min(static_cast<int>(timers_.size()), count - static_cast<int>(result.size()));
            if (rest_.count() > 0) std::this_thread::sleep_for(rest_);
            if (lead) launch_(next_++);
            for (int i = 0; i < batch; ++i) {
                timers_[i]->start();
                for (int j = 0; j < launches; ++j) launch_(next_++);
                timers_[i]->stop();
            }
            stream_.synchronize();
            for (int i = 0; i < batch; ++i) {
                result.push_back(timers_[i]->milliseconds() / launches);
            }
        }
        return result;
    }

  private:
    const Stream& stream_;
    const std::function<void(int64_t)>& launch_;
    std::chrono::duration<double, std::milli> rest_;
    int64_t next_;
    std::vector<std::unique_ptr<StreamTimer>> timers_;
};

// Launches until the time is over; returns the milliseconds of one launch near the end.
double warm_up(Timer& timer, const TimingOptions& options) {
    double spent = 0;
    double last = 0;
    int launches = 1;
    do {
        last = timer.sample(1, launches, false).front();
        spent += last * launches;
        launches = std::min(kMostLaunches, launches * 2);
    } while (options.iterations == 0 && spent < options.warmup_ms);
    return last;
}

int sample_count(double sample_ms, const TimingOptions& options) {
    if (options.iterations > 0) return options.iterations;
    const double wanted = std::ceil(options.measure_ms / std::max(sample_ms, 1e-4));
    return static_cast<int>(std::clamp<double>(wanted, options.min_samples, options.max_samples));
}

Timing measure(const Stream& stream, const std::function<void(int64_t)>& launch,
               const TimingOptions& options, bool single) {
    Timer warm(stream, launch, 0);
    const double one = warm_up(warm, options);
    Timing timing;
    if (!single) {
        const double wanted = std::ceil(options.sample_ms / std::max(one, 1e-4));
        timing.launches_per_sample = static_cast<int>(std::clamp<double>(wanted, 1, kMostLaunches));
    }
    const int count = sample_count(one * timing.launches_per_sample, options);
    const bool lead = !stream.device().is_host();
    Timer timer(stream, launch, options.rest_ms, warm.launched());
    timing.ms = summarize(timer.sample(count, timing.launches_per_sample, lead));
    return timing;
}

}  // namespace

Timing time_launches(const Stream& stream, const std::function<void(int64_t)>& launch,
                     const TimingOptions& options) {
    return measure(stream, launch, options, /*single=*/false);
}

Timing time_single_launches(const Stream& stream, const std::function<void(int64_t)>& launch,
                            const TimingOptions& options) {
    return measure(stream, launch, options, /*single=*/true);
}

}  // namespace sagejit
