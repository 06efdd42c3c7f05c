// What sagejit adds to the driver's part of a launch: host time per call of all its kernels. "bare"
// makes the same cuLaunchKernelEx calls with everything filled in; the difference to it is what the
// caller pays for sagejit.
//   launch_benchmark --benchmark_min_time=0.5
// runs against the stub driver, whose launch costs next to nothing; with SAGEJIT_TEST_DRIVER=real
// against the machine's. Calls are timed in bursts that the driver's queue has room for, and the
// stream is empty before each: otherwise a launch takes as long as the GPU needs for one. Each
// iteration has a burst of every way, so that the differences are of neighbours in time.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/samples.h"
#include "cuda_tensor_map.h"
#include "driver.h"
#include "driver/problem.h"
#include "driver/stub.h"
#include "executor.h"
#include "launch.h"
#include "obtain_cubin.h"
#include "sagejit/generator/source.h"
#include "sagejit/registry.h"
#include "sagejit/stream.h"
#include "unit/temporary_directory.h"
#include "value_map.h"

using namespace sagejit;
using namespace sagejit::test;

namespace {

// A queue holds about a thousand launches; a call has at most four.
constexpr int kBurst = 64;

// A few microseconds for a GPU: the least work that still has every launch.
constexpr Shape kShape{1, 2, 1, 64, 64};

// Makes tensor maps and launches nothing.
class MapEncoder : public Executor {
  public:
    void run(std::span<const LaunchStep>, const abi::Call&, void*) const override {}
    void encode_tensor_map(const TensorMapRequest& request, abi::TensorMap& map) const override {
        encode_cuda_tensor_map(driver_api(), request, map);
    }
};

// A prepared kernel with its problem.
struct Bench {
    explicit Bench(const char* config)
        : spec(shipped_config(config)),
          device(Device::cuda(0)),
          kernel(prepare(spec, device)),
          problem(device, kernel.plan(), kShape),
          stream(device) {}

    Spec spec;
    Device device;
    Kernel kernel;
    DeviceProblem problem;
    Stream stream;
};

// The same calls of the driver, with all their arguments at hand.
class BareLaunches {
  public:
    explicit BareLaunches(const Bench& b) : api_(driver_api()) {
        load(b.kernel.plan());
        const Plan& plan = b.kernel.plan();
        const Shape shape = shape_of(b.problem.arguments());
        const Workspace layout = make_workspace(plan, shape);
        call_ = make_call(b.problem.arguments(), shape, layout, b.problem.workspace());
        add_value_map(plan, b.problem.arguments(), MapEncoder(), call_);
        overlap_.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
        overlap_.value.programmaticStreamSerializationAllowed = 1;
        for (const LaunchStep& step : launch_steps(plan, shape, layout)) {
            Launch& launch = launches_.emplace_back();
            const int64_t at_once = int64_t{gpu_info(0).multiprocessors} * step.ctas_per_sm;
            launch.config.gridDimX = static_cast<unsigned>(
                step.ctas_per_sm > 0 ? std::min(step.ctas, at_once) : step.ctas);
            launch.config.gridDimY = launch.config.gridDimZ = 1;
            launch.config.blockDimX = static_cast<unsigned>(step.threads);
            launch.config.blockDimY = launch.config.blockDimZ = 1;
            launch.config.sharedMemBytes = static_cast<unsigned>(step.shared_bytes);
            launch.config.hStream = static_cast<CUstream>(b.stream.handle());
            launch.config.attrs = &overlap_;
            launch.config.numAttrs = step.may_overlap && launches_.size() > 1 ? 1 : 0;
            launch.function = functions_.at(std::string(step.entry));
        }
        // Once with a look at what the driver says: a launch that it refuses costs little.
        for (const Launch& launch : launches_) {
            api_.check(api_.launch_kernel_ex(&launch.config, launch.function, parameters_, nullptr),
                       "cuLaunchKernelEx");
        }
        b.stream.synchronize();
    }
    BareLaunches(const BareLaunches&) = delete;
    BareLaunches& operator=(const BareLaunches&) = delete;

    void run() {
        for (const Launch& launch : launches_) {
            api_.launch_kernel_ex(&launch.config, launch.function, parameters_, nullptr);
        }
    }
    size_t count() const { return launches_.size(); }

  private:
    struct Launch {
        CUlaunchConfig config{};
        CUfunction function = nullptr;
    };

    // The cubin once more, without sagejit's part in launching it.
    void load(const Plan& plan) {
        const Source source = emit(plan);
        const ObtainedCubin obtained =
            obtain_cubin(source.text, generator_version(), plan.target.name, "bench.cu", {});
        CUlibrary library = nullptr;
        api_.check(api_.library_load_data(&library, obtained.cubin->bytes.data(), nullptr, nullptr,
                                          0, nullptr, nullptr, 0),
                   "cuLibraryLoadData");
        for (const LaunchStep& step : launch_steps(plan, Shape{1, 1, 1, 1, 1})) {
            CUkernel entry = nullptr;
            const std::string name(step.entry);
            api_.check(api_.library_get_kernel(&entry, library, name.c_str()),
                       "cuLibraryGetKernel");
            api_.check(api_.kernel_set_attribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                                 step.shared_bytes, entry, device_handle(0)),
                       "cuKernelSetAttribute");
            api_.check(api_.kernel_get_function(&functions_[name], entry), "cuKernelGetFunction");
        }
    }

    const DriverApi& api_;
    std::map<std::string, CUfunction> functions_;
    abi::Call call_{};
    void* parameters_[1] = {&call_};
    CUlaunchAttribute overlap_{};
    std::vector<Launch> launches_;
};

enum Way { kBare, kByHandle, kBySpec, kNewSizes, kWays };
constexpr std::array<const char*, kWays> kNames = {"bare", "by_handle", "by_spec",
                                                   "by_handle_new_sizes"};

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

double time_way(Way way, Bench& b, BareLaunches& bare) {
    switch (way) {
        case kBare:
            return time_burst(b.stream, [&](int) { bare.run(); });
        case kByHandle:
            return time_burst(b.stream,
                              [&](int) { b.problem.launch(b.kernel, b.stream.handle()); });
        case kBySpec:
            return time_burst(b.stream, [&](int) {
                launch(b.spec, b.device, b.problem.arguments(), b.problem.workspace(),
                       b.problem.workspace_bytes(), b.stream.handle());
            });
        default: {  // sizes that change with every call, as in a decoder that appends a token
            Arguments arguments = b.problem.arguments();
            return time_burst(b.stream, [&](int i) {
                arguments.k.shape[2] = arguments.v.shape[2] = kShape.len_k - i % 2;
                b.kernel.launch(arguments, b.problem.workspace(), b.problem.workspace_bytes(),
                                b.stream.handle());
            });
        }
    }
}

// For people, after all benchmarks: of each the last run, which has the most iterations.
std::map<std::string, std::string>& summary() {
    static std::map<std::string, std::string> texts;
    return texts;
}

// Configs of two launches and of four.
void launch_overhead(benchmark::State& state, const char* config) {
    Bench b(config);
    const ScopedContext scope(driver_api(), primary_context(0));  // as applications have it
    BareLaunches bare(b);
    for (int way = 0; way < kWays; ++way) time_way(static_cast<Way>(way), b, bare);
    std::array<std::vector<double>, kWays> took, added;
    int64_t round = 0;
    for (auto _ : state) {
        std::array<double, kWays> ns{};
        // No way always comes first.
        for (int i = 0; i < kWays; ++i) {
            const auto way = static_cast<Way>((i + round) % kWays);
            ns[way] = time_way(way, b, bare);
        }
        double total = 0;
        for (int way = 0; way < kWays; ++way) {
            took[way].push_back(ns[way]);
            added[way].push_back(ns[way] - ns[kBare]);
            total += ns[way] * kBurst;
        }
        ++round;
        state.SetIterationTime(total * 1e-9);
    }
    std::string text =
        fmt::format("{}, {} kernels a call, {} bursts of {} calls; ns a call, median (quartiles)\n",
                    config, bare.count(), round, kBurst);
    for (int way = 0; way < kWays; ++way) {
        const SampleSummary all = summarize(took[way]), more = summarize(added[way]);
        state.counters[kNames[way]] = all.median;
        text +=
            fmt::format("  {:<20}{:8.0f} ({:.0f}-{:.0f})", kNames[way], all.median, all.q1, all.q3);
        if (way != kBare) {
            state.counters[std::string(kNames[way]) + "_added"] = more.median;
            text += fmt::format("   {:+.0f} ({:+.0f} to {:+.0f}) over bare", more.median, more.q1,
                                more.q3);
        }
        text += "\n";
    }
    state.counters["kernels"] = static_cast<double>(bare.count());
    summary()[config] = std::move(text);
}

}  // namespace

BENCHMARK_CAPTURE(launch_overhead, two_kernels, "thread-d128-no-smooth")->UseManualTime();
BENCHMARK_CAPTURE(launch_overhead, four_kernels, "tensor-d128")->UseManualTime();

int main(int argc, char** argv) {
    const TemporaryDirectory cache;
    const char* driver = getenv("SAGEJIT_TEST_DRIVER");
    if (driver == nullptr || std::string_view(driver) != "real") {
        setenv("SAGEJIT_CACHE_DIR", cache.path().c_str(), 1);
        setenv("SAGEJIT_LIBCUDA", SAGEJIT_STUB_CUDA, 1);
        setenv("SAGEJIT_NVRTC", SAGEJIT_STUB_NVRTC, 1);
        unsetenv("CUDA_VISIBLE_DEVICES");
    }
    need_gpus(1);
    if (const stub::Controls* stub = stub_controls()) stub->record(false);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    // Standard output may be JSON.
    std::fprintf(stderr, "%s, by %s\n", gpu_info(0).name.c_str(), driver_api().info.path.c_str());
    for (const auto& [config, text] : summary()) std::fputs(text.c_str(), stderr);
    return 0;
}
