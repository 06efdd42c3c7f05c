// Compiling configs into a bundle.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "compile_cubin.h"
#include "sagejit/bundle.h"
#include "sagejit/generator/error.h"
#include "sagejit/generator/plan.h"

namespace sagejit {

// One kernel that is wanted.
struct BuildRequest {
    std::string name;   // the config's, for people
    std::string where;  // the config's file, for errors
    Spec spec;
    std::string target;
};

struct BuildOptions {
    size_t processes = 1;
    bool use_cache = true;
    // Also the plans that tuning records recommend for a config and target, each marked with the
    // GPUs and sizes they are the fastest for.
    bool tuned = false;
    // Also code in which ptxas spilled registers or serialised wgmma; the manifest says so. Without
    // it such a request fails, and a tuning record's plan is left out.
    bool allow_slow_code = false;
    std::filesystem::path cache_directory;  // empty: the default one
};

// One kernel that was made. A request has several where tuned plans are wanted, the default first.
struct BuildStep {
    BundleKernel kernel;
    bool from_cache = false;
    double compile_ms = 0;
    std::string warnings;  // of the compiler
};

struct BuildFailure {
    std::string name, target;
    Error error;
};

// What became of one request, as soon as it is known; either is null.
struct BuildProgress {
    size_t done = 0, total = 0;
    const BuildRequest* request = nullptr;
    const BuildStep* step = nullptr;
    const Error* failure = nullptr;
};
using BuildReport = std::function<void(const BuildProgress& progress)>;

struct BuildResult {
    std::vector<uint8_t> bundle;  // empty where anything failed
    std::string nvrtc;
    std::vector<std::string> libraries;  // files of NVRTC that were used
    std::vector<BuildStep> steps;        // in the order of the requests
    std::vector<std::string> merged;     // requests that are the same kernel as an earlier one
    std::vector<std::string> left_out;   // plans of tuning records, and why
    std::vector<BuildFailure> failures;  // all of them, in the order of the requests
};

// Plans everything, then compiles in processes of its own. Equal requests (but for the name) are
// compiled once. What fails does not stop the rest, so that all failures are known at the end;
// only a missing NVRTC does, since nothing can follow. To be called as run_workers is.
BuildResult build_bundle(std::span<const BuildRequest> requests, const BuildOptions& options,
                         const BuildReport& report);

}  // namespace sagejit
