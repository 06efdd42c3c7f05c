// Tuning one config on one device: compiling ahead in several processes, measuring in another one,
// and the log that makes an interrupted tuning go on where it was.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "bench/samples.h"
#include "output.h"
#include "sagejit/sagejit.h"
#include "tune/choose.h"
#include "tune/search.h"
#include "tune/store.h"
#include "tune_worker.h"

namespace sagejit::cli {

// How long the worker processes may take over one request before they are given up.
struct TuneTimeouts {
    std::chrono::seconds compile{120}, check{60};
    // Loading, filling gigabytes and a slow candidate's first launches, besides the time asked for.
    std::chrono::seconds measure{60};
};

// What is known of one candidate for one shape.
struct CandidateResult {
    std::string status;  // "measured", or why not: an error's code, "wrong", "crashed", "hung"
    std::string error;   // in words
    double ms_asked = 0;
    size_t turns = 0;  // of the race that whole_call is from; 0: it was measured by itself
    std::optional<SampleSummary> whole_call, attention;
    std::optional<double> rel_l1, rel_l1_limit, sm_clock_mhz;
    std::optional<double> compile_ms, registers, spill_bytes;
    std::string driver;
    Json instructions;     // that the host device executed for the check, by kind; null on a GPU
    bool resumed = false;  // from an earlier tuning
};

class TuneSession {
  public:
    // plans: the candidates. jobs: compiling processes. again: measure what the log has, too.
    TuneSession(TuneSubject subject, std::vector<Plan> plans, TunedDevice device,
                const TuningStore& store, int jobs, bool again, TuneTimeouts timeouts);
    ~TuneSession();
    TuneSession(const TuneSession&) = delete;
    TuneSession& operator=(const TuneSession&) = delete;

    // Has these compiled, in this order, while others are measured.
    void compile_ahead(const std::vector<size_t>& order);
    // Whether measure would take the log's word, or this session's.
    bool knows(size_t candidate, const Shape& shape, double ms);
    // Compiles, checks and measures a candidate, or takes the log's word for it. Appends what it
    // measured to the log before it returns.
    const CandidateResult& measure(size_t candidate, const Shape& shape, double ms);
    // A turn of a race of candidates that measure has measured. Empty where it was not possible;
    // the process that crashed over it is lost, and nothing else.
    Turn take_turn(const std::vector<size_t>& order, const Shape& shape, double ms);
    // The attention kernels alone in as many turns; by place in the order.
    std::vector<SampleSummary> race_attention(const std::vector<size_t>& order, const Shape& shape,
                                              double ms, size_t turns);
    // What came of a race, into the log: the candidate's whole call, and, where known, attention.
    const CandidateResult& keep_raced(size_t candidate, const Shape& shape,
                                      const SearchEntry& entry,
                                      const std::optional<SampleSummary>& attention);
    void end_race() { clocks_.clear(); }
    // Only checks against fp64 attention.
    CandidateResult check(size_t candidate);

    const std::vector<Plan>& plans() const { return plans_; }
    // Everything known for that shape, by candidate.
    const std::map<size_t, CandidateResult>& results(const Shape& shape);

  private:
    using Results = std::map<size_t, CandidateResult>;

    Json key(size_t candidate, const Shape& shape) const;
    Results& load(const Shape& shape);
    void log(size_t candidate, const Shape& shape, const CandidateResult& result) const;
    Json compiled(size_t candidate);
    Json ask_turn(const std::vector<size_t>& order, const Shape& shape, double ms, bool attention);
    void compile_loop();

    TuneSubject subject_;
    std::vector<Plan> plans_;
    TunedDevice device_;
    const TuningStore& store_;
    bool again_;
    TuneTimeouts timeouts_;
    std::vector<std::string> hashes_;  // of the sources
    TuneWorker measuring_;
    std::map<size_t, CandidateResult> checked_;
    std::map<std::string, Results> by_shape_;
    std::vector<double> clocks_;  // MHz, of the turns of the race that goes on

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<size_t> queue_;
    std::set<size_t> queued_;
    std::map<size_t, Json> compiled_;
    bool closing_ = false;
    std::vector<std::thread> compilers_;
};

}  // namespace sagejit::cli
