// What sagejit adds to the driver's part of a launch: host time per call of all its kernels. "bare"
// makes the same cuLaunchKernelEx calls with everything filled in; the difference to it is what the
// caller pays for sagejit. Other ways add one part of what sagejit does to the bare launches, so
// that the difference can be told apart.
//   launch_benchmark --benchmark_min_time=0.5
// runs against the stub driver, whose launch costs next to nothing; with SAGEJIT_TEST_DRIVER=real
// against the machine's; with SAGEJIT_TEST_DRIVER=long against the stub with launches that leave
// little in the processor's caches, as those of a real driver do.
// Calls are timed in bursts that the driver's queue has room for, and the stream is empty before
// each: otherwise a launch takes as long as the GPU needs for one. Each iteration has a burst of
// every way, so that the differences are of neighbours in time, in an order drawn anew: what ran
// just before leaves caches and the driver in a state of its own. With a difference goes its
// standard error. SAGEJIT_LAUNCH_WAYS=by_handle,by_spec measures those alone, beside what they are
// held against, and so with less error in the same time.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bare_launches.h"
#include "bench/samples.h"
#include "driver/stub.h"
#include "long_driver.h"
#include "sagejit/registry.h"
#include "unit/temporary_directory.h"

using namespace sagejit;
using namespace sagejit::test;

namespace {

// A queue holds about a thousand launches; a call has at most four.
constexpr int kBurst = 64;

enum Way {
    kBare,
    kBareAgain,     // what the differences would be if nothing were added
    kGetCurrent,    // bare, and the one other call of the driver's that a launch makes
    kExchange,      // bare, and one atomic exchange, by which a launch borrows its geometry
    kHostWork,      // bare, and a call by handle whose calls of the driver do nothing
    kByHandle,      // the same arguments each time
    kNewAddresses,  // by handle, other tensors each time, as the layers of a model
    kBySpec,
    kNewSizes,  // by handle, other sizes each time, as in a decoder that appends a token
    kIdle,      // bare, by calls that do nothing
    kWarm,      // by handle, and the calls of the driver do nothing: less idle, the host's work in
                // warm caches
    kWays
};
constexpr std::array<const char*, kWays> kNames = {"bare",
                                                   "bare_again",
                                                   "bare_get_current",
                                                   "bare_exchange",
                                                   "bare_host",
                                                   "by_handle",
                                                   "by_handle_new_addresses",
                                                   "by_spec",
                                                   "by_handle_new_sizes",
                                                   "idle",
                                                   "idle_host"};

// What a way is held against.
Way base_of(Way way) { return way == kIdle || way == kWarm ? kIdle : kBare; }

// Those to measure: all, or what SAGEJIT_LAUNCH_WAYS names with their bases. Ends the process for a
// name that is none.
std::vector<Way> chosen_ways() {
    std::array<bool, kWays> chosen{};
    const char* named = getenv("SAGEJIT_LAUNCH_WAYS");
    if (named == nullptr) chosen.fill(true);
    for (std::string_view rest = named != nullptr ? named : ""; !rest.empty();) {
        const size_t comma = std::min(rest.find(','), rest.size());
        const auto* const found = std::find(kNames.begin(), kNames.end(), rest.substr(0, comma));
        if (found == kNames.end()) {
            std::fprintf(stderr, "SAGEJIT_LAUNCH_WAYS: no such way: %s\n",
                         std::string(rest.substr(0, comma)).c_str());
            std::exit(2);
        }
        const auto way = static_cast<Way>(found - kNames.begin());
        chosen[way] = chosen[base_of(way)] = true;
        rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    std::vector<Way> ways;
    for (int way = 0; way < kWays; ++way) {
        if (chosen[way]) ways.push_back(static_cast<Way>(way));
    }
    return ways;
}

CUcontext current_context = nullptr;
CUresult get_current_at_once(CUcontext* context) {
    *context = current_context;
    return CUDA_SUCCESS;
}
[[gnu::noipa]] CUresult launch_nothing(const CUlaunchConfig*, CUfunction, void**, void**) {
    return CUDA_SUCCESS;
}

decltype(&::cuLaunchKernelEx) launch_of_stub = nullptr;
CUresult launch_long(const CUlaunchConfig* config, CUfunction function, void** parameters,
                     void** extra) {
    sweep_caches();
    return launch_of_stub(config, function, parameters, extra);
}

// The process's driver, whose functions may be replaced.
DriverApi& open_api() { return const_cast<DriverApi&>(driver_api()); }

// For a scope the driver does nothing for sagejit.
class IdleDriver {
  public:
    IdleDriver() {
        open_api().launch_kernel_ex = launch_nothing;
        open_api().ctx_get_current = get_current_at_once;
    }
    ~IdleDriver() { open_api() = real_; }
    IdleDriver(const IdleDriver&) = delete;
    IdleDriver& operator=(const IdleDriver&) = delete;

  private:
    const DriverApi real_ = driver_api();
};

// A kernel, two problems of the same sizes for it, and its launches without sagejit.
struct Setting {
    explicit Setting(const char* config)
        : bench(config),
          other(bench.device, bench.kernel.plan(), kLaunchShape),
          scope(driver_api(), primary_context(0)),  // as applications have it
          bare(bench) {}

    LaunchBench bench;
    DeviceProblem other;
    ScopedContext scope;
    BareLaunches bare;
    alignas(64) std::atomic<bool> borrowed = false;
};

// Nanoseconds of a call, over one burst.
template <typename Call>
double time_burst(const Stream& stream, const Call& call) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kBurst; ++i) call(i);
    const std::chrono::duration<double, std::nano> elapsed =
        std::chrono::steady_clock::now() - start;
    stream.synchronize();
    return elapsed.count() / kBurst;
}

double time_way(Way way, Setting& setting) {
    const LaunchBench& b = setting.bench;
    BareLaunches& bare = setting.bare;
    const auto time = [&b](const auto& call) { return time_burst(b.stream, call); };
    const auto by_handle = [&b](int) { b.problem.launch(b.kernel, b.stream.handle()); };
    switch (way) {
        case kGetCurrent:
            return time([&](int) {
                CUcontext current = nullptr;
                driver_api().ctx_get_current(&current);
                benchmark::DoNotOptimize(current);
                bare.run();
            });
        case kExchange:
            return time([&](int) {
                benchmark::DoNotOptimize(setting.borrowed.exchange(true));
                bare.run();
                setting.borrowed.store(false, std::memory_order_release);
            });
        case kHostWork: {
            const IdleDriver idle;
            return time([&](int i) {
                by_handle(i);
                bare.run();
            });
        }
        case kByHandle:
            return time(by_handle);
        case kNewAddresses:
            return time([&](int i) {
                const DeviceProblem& problem = i % 2 == 0 ? b.problem : setting.other;
                b.kernel.launch(problem.arguments(), b.problem.workspace(),
                                b.problem.workspace_bytes(), b.stream.handle());
            });
        case kBySpec:
            return time([&](int) {
                launch(b.spec, b.device, b.problem.arguments(), b.problem.workspace(),
                       b.problem.workspace_bytes(), b.stream.handle());
            });
        case kNewSizes: {
            Arguments arguments = b.problem.arguments();
            return time([&](int i) {
                arguments.k.shape[2] = arguments.v.shape[2] = kLaunchShape.len_k - i % 2;
                b.kernel.launch(arguments, b.problem.workspace(), b.problem.workspace_bytes(),
                                b.stream.handle());
            });
        }
        case kIdle:
            return time([&](int) { bare.run_by(launch_nothing); });
        case kWarm: {
            const IdleDriver idle;
            return time(by_handle);
        }
        default:
            return time([&](int) { bare.run(); });
    }
}

// Standard error of the samples' median, from the medians of consecutive blocks of them: samples
// next to each other may have something in common. 0 for a few samples.
double error_of_median(const std::vector<double>& samples) {
    constexpr size_t kBlocks = 16;
    const size_t length = samples.size() / kBlocks;
    if (length == 0) return 0;
    double sum = 0, squares = 0;
    for (size_t block = 0; block < kBlocks; ++block) {
        const auto first = samples.begin() + static_cast<ptrdiff_t>(block * length);
        const double median = summarize({first, first + static_cast<ptrdiff_t>(length)}).median;
        sum += median;
        squares += median * median;
    }
    const double variance = (squares - sum * sum / kBlocks) / (kBlocks - 1);
    return std::sqrt(std::max(0.0, variance) / kBlocks);
}

// For people, after all benchmarks: of each the last run, which has the most iterations.
std::map<std::string, std::string>& summary() {
    static std::map<std::string, std::string> texts;
    return texts;
}

using Samples = std::array<std::vector<double>, kWays>;

void report(benchmark::State& state, const char* config, size_t kernels, const Samples& took,
            const Samples& added) {
    std::string text = fmt::format(
        "{}, {} kernels a call, {} bursts of {} calls; ns a call, median (quartiles), and median "
        "over bare or idle +- its standard error\n",
        config, kernels, took[kBare].size(), kBurst);
    for (int way = 0; way < kWays; ++way) {
        if (took[way].empty()) continue;
        const std::string name = kNames[way];
        const SampleSummary all = summarize(took[way]);
        state.counters[name] = all.median;
        text += fmt::format("  {:<24}{:8.0f} ({:.0f}-{:.0f})", name, all.median, all.q1, all.q3);
        if (base_of(static_cast<Way>(way)) != way) {
            const double more = summarize(added[way]).median, error = error_of_median(added[way]);
            state.counters[name + "_added"] = more;
            state.counters[name + "_added_error"] = error;
            text += fmt::format("   {:+.0f} +- {:.1f}", more, error);
        }
        text += "\n";
    }
    state.counters["kernels"] = static_cast<double>(kernels);
    summary()[config] = std::move(text);
}

// Configs of two launches and of four.
void launch_overhead(benchmark::State& state, const char* config) {
    Setting setting(config);
    current_context = primary_context(0);
    std::vector<Way> ways = chosen_ways();
    for (const Way way : ways) time_way(way, setting);
    Samples took, added;
    std::mt19937 random;
    for (auto _ : state) {
        std::shuffle(ways.begin(), ways.end(), random);
        std::array<double, kWays> ns{};
        for (const Way way : ways) ns[way] = time_way(way, setting);
        for (const Way way : ways) {
            took[way].push_back(ns[way]);
            added[way].push_back(ns[way] - ns[base_of(way)]);
        }
        state.SetIterationTime(std::accumulate(ns.begin(), ns.end(), 0.0) * kBurst * 1e-9);
    }
    report(state, config, setting.bare.count(), took, added);
}

}  // namespace

BENCHMARK_CAPTURE(launch_overhead, two_kernels, "thread-d128-no-smooth")->UseManualTime();
BENCHMARK_CAPTURE(launch_overhead, four_kernels, "tensor-d128")->UseManualTime();

int main(int argc, char** argv) {
    const TemporaryDirectory cache;
    const char* named = getenv("SAGEJIT_TEST_DRIVER");
    const std::string_view driver = named != nullptr ? named : "";
    if (driver != "real") {
        setenv("SAGEJIT_CACHE_DIR", cache.path().c_str(), 1);
        setenv("SAGEJIT_LIBCUDA", SAGEJIT_STUB_CUDA, 1);
        setenv("SAGEJIT_NVRTC", SAGEJIT_STUB_NVRTC, 1);
        unsetenv("CUDA_VISIBLE_DEVICES");
    }
    need_gpus(1);
    if (const stub::Controls* stub = stub_controls()) stub->record(false);
    if (driver == "long") {
        launch_of_stub = driver_api().launch_kernel_ex;
        open_api().launch_kernel_ex = launch_long;
    }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    // Standard output may be JSON.
    std::fprintf(stderr, "%s, by %s\n", gpu_info(0).name.c_str(), driver_api().info.path.c_str());
    for (const auto& [config, text] : summary()) std::fputs(text.c_str(), stderr);
    return 0;
}
