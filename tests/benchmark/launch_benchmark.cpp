// What sagejit adds to the driver's part of a launch. "bare" makes the same cuLaunchKernelEx calls
// with everything filled in; the difference to it is what the caller pays for sagejit.
//   launch_benchmark --benchmark_min_time=0.5
// runs against the stub driver, whose launch costs next to nothing; with SAGEJIT_TEST_DRIVER=real
// against the machine's.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <algorithm>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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

// Makes tensor maps and launches nothing.
class MapEncoder : public Executor {
  public:
    void run(std::span<const LaunchStep>, const abi::Call&, void*) const override {}
    void encode_tensor_map(const TensorMapRequest& request, abi::TensorMap& map) const override {
        encode_cuda_tensor_map(driver_api(), request, map);
    }
};

// A prepared kernel with its problem, and the same launches for the driver alone.
struct Bench {
    explicit Bench(const char* config)
        : spec(shipped_config(config)),
          device(Device::cuda(0)),
          kernel(prepare(spec, device)),
          problem(device, kernel.plan(), {2, 32, 8, 4096, 4096}),
          stream(device) {
        // The cubin again, for launches without sagejit.
        const DriverApi& api = driver_api();
        const ScopedContext scope(api, primary_context(0));
        const Source source = emit(kernel.plan());
        const ObtainedCubin obtained = obtain_cubin(source.text, generator_version(),
                                                    kernel.plan().target.name, "bench.cu", {});
        CUlibrary library = nullptr;
        api.check(api.library_load_data(&library, obtained.cubin->bytes.data(), nullptr, nullptr, 0,
                                        nullptr, nullptr, 0),
                  "cuLibraryLoadData");
        for (const LaunchStep& step : launch_steps(kernel.plan(), Shape{1, 1, 1, 1, 1})) {
            CUkernel entry = nullptr;
            const std::string name(step.entry);
            api.check(api.library_get_kernel(&entry, library, name.c_str()), "cuLibraryGetKernel");
            api.check(api.kernel_set_attribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                               step.shared_bytes, entry, device_handle(0)),
                      "cuKernelSetAttribute");
            api.check(api.kernel_get_function(&functions[name], entry), "cuKernelGetFunction");
        }
    }

    Spec spec;
    Device device;
    Kernel kernel;
    DeviceProblem problem;
    Stream stream;
    std::map<std::string, CUfunction> functions;
};

// Configs of two launches and of four.
Bench& bench(int64_t index) {
    static std::unique_ptr<Bench> benches[2];
    if (benches[index] == nullptr) {
        benches[index] =
            std::make_unique<Bench>(index == 0 ? "thread-d128-no-smooth" : "tensor-d128");
    }
    return *benches[index];
}

// The same calls of the driver, with all their arguments at hand.
void bare(benchmark::State& state) {
    Bench& b = bench(state.range(0));
    const DriverApi& api = driver_api();
    const Shape shape = shape_of(b.problem.arguments());
    const Workspace layout = make_workspace(b.kernel.plan(), shape);
    const LaunchSteps steps = launch_steps(b.kernel.plan(), shape, layout);
    abi::Call call = make_call(b.problem.arguments(), shape, layout, b.problem.workspace());
    const ScopedContext scope(api, primary_context(0));
    add_value_map(b.kernel.plan(), b.problem.arguments(), MapEncoder(), call);
    void* parameters[] = {&call};
    CUlaunchAttribute overlap{};
    overlap.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
    overlap.value.programmaticStreamSerializationAllowed = 1;
    struct BareLaunch {
        CUlaunchConfig config{};
        CUfunction function = nullptr;
    };
    std::vector<BareLaunch> launches;
    for (const LaunchStep& step : steps) {
        BareLaunch& launch = launches.emplace_back();
        const int64_t at_once = gpu_info(0).multiprocessors;
        launch.config.gridDimX =
            static_cast<unsigned>(step.persistent ? std::min(step.ctas, at_once) : step.ctas);
        launch.config.gridDimY = launch.config.gridDimZ = 1;
        launch.config.blockDimX = static_cast<unsigned>(step.threads);
        launch.config.blockDimY = launch.config.blockDimZ = 1;
        launch.config.sharedMemBytes = static_cast<unsigned>(step.shared_bytes);
        launch.config.hStream = static_cast<CUstream>(b.stream.handle());
        launch.config.attrs = &overlap;
        launch.config.numAttrs = step.may_overlap && launches.size() > 1 ? 1 : 0;
        launch.function = b.functions.at(std::string(step.entry));
    }
    for (auto _ : state) {
        for (const BareLaunch& launch : launches) {
            api.launch_kernel_ex(&launch.config, launch.function, parameters, nullptr);
        }
    }
}

void by_handle(benchmark::State& state) {
    Bench& b = bench(state.range(0));
    const ScopedContext scope(driver_api(), primary_context(0));  // as applications have it
    for (auto _ : state) b.problem.launch(b.kernel, b.stream.handle());
}

void by_spec(benchmark::State& state) {
    Bench& b = bench(state.range(0));
    const ScopedContext scope(driver_api(), primary_context(0));
    for (auto _ : state) {
        launch(b.spec, b.device, b.problem.arguments(), b.problem.workspace(),
               b.problem.workspace_bytes(), b.stream.handle());
    }
}

// Sizes that change with every call, as in a decoder that appends a token.
void by_handle_new_sizes(benchmark::State& state) {
    Bench& b = bench(state.range(0));
    const ScopedContext scope(driver_api(), primary_context(0));
    Arguments arguments = b.problem.arguments();
    for (auto _ : state) {
        const int64_t length = arguments.k.shape[2] > 2048 ? 2048 : 2049;
        arguments.k.shape[2] = arguments.v.shape[2] = length;
        b.kernel.launch(arguments, b.problem.workspace(), b.problem.workspace_bytes(),
                        b.stream.handle());
    }
}

}  // namespace

BENCHMARK(by_spec)->Arg(0)->Arg(1);
BENCHMARK(by_handle_new_sizes)->Arg(0)->Arg(1);
BENCHMARK(bare)->Arg(0)->Arg(1);
BENCHMARK(by_handle)->Arg(0)->Arg(1);

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
    return 0;
}
