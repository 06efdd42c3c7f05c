// The processes that tuning compiles and measures in: a kernel that faults takes the GPU's context
// with it, and a compiler that crashes its process; so neither happens in the one that searches.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "child_process.h"
#include "output.h"
#include "sagejit/generator/spec.h"
#include "sagejit/sagejit.h"

namespace sagejit::cli {

// The verb of a worker, not for people: JSON lines on its standard input and output.
//   {"spec": .., "target": .., "device": ..}             first: whose candidates are meant
//   {"do": "compile", "candidate": n}                    into the cache
//   {"do": "check", "candidate": n}                      against fp64 attention
//   {"do": "measure", "candidate": n, "shape": [..], "ms": x}
//   {"do": "turn", "candidates": [n, ..], "shape": [..], "ms": x, "attention": false}
//                                                        one after the other (tune/race.h): whole
//                                                        calls, or attention alone
// Each is answered by one object: what was asked for, or "error".
inline constexpr const char* kTuneWorkerVerb = "--tune-worker";
int run_tune_worker();

// Whose candidates are tuned, and where.
struct TuneSubject {
    Spec spec;
    std::string target;
    std::string device;
};

// A worker, started when first needed and again after it was lost.
class TuneWorker {
  public:
    explicit TuneWorker(TuneSubject subject) : subject_(std::move(subject)) {}

    // The answer, or {"error": {"code": "crashed" or "hung", ..}} when the worker was lost over it.
    Json ask(const Json& request, std::chrono::milliseconds timeout);

  private:
    TuneSubject subject_;
    std::unique_ptr<ChildProcess> process_;
};

}  // namespace sagejit::cli
