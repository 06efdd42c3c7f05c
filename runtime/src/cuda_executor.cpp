// Kernels on a GPU, by the CUDA driver.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "cuda_tensor_map.h"
#include "driver.h"
#include "driver_api.h"
#include "executor.h"
#include "obtain_cubin.h"
#include "slow_code.h"

namespace sagejit {
namespace {

// A cubin loaded for every context of the process.
class LoadedLibrary {
  public:
    LoadedLibrary(const DriverApi& api, std::span<const uint8_t> cubin, const std::string& where)
        : api_(api) {
        api.check(api.library_load_data(&library_, cubin.data(), nullptr, nullptr, 0, nullptr,
                                        nullptr, 0),
                  "cuLibraryLoadData", ErrorCode::kLaunchFailed, where);
    }
    // Work that still runs keeps its code: the driver waits for it. After a fork or while the
    // process exits there is nothing left to unload.
    ~LoadedLibrary() {
        if (!driver_lost_by_fork()) api_.library_unload(library_);
    }
    LoadedLibrary(const LoadedLibrary&) = delete;
    LoadedLibrary& operator=(const LoadedLibrary&) = delete;

    CUlibrary get() const { return library_; }

  private:
    const DriverApi& api_;
    CUlibrary library_ = nullptr;
};

// One entry of the source, ready to launch on one device.
struct Entry {
    std::string_view symbol;  // of the plan's launches: a literal
    CUfunction function = nullptr;
};

class CudaExecutor final : public Executor {
  public:
    CudaExecutor(const Plan& plan, std::span<const std::string> symbols, const Device& device,
                 std::span<const uint8_t> cubin)
        : api_(driver_api()),
          context_(primary_context(device.ordinal())),
          where_(device.text()),
          multiprocessors_(gpu_info(device.ordinal()).multiprocessors),
          library_(api_, cubin, where_) {
        gpu = {&api_, context_};
        overlap_.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
        overlap_.value.programmaticStreamSerializationAllowed = 1;
        const ScopedContext scope(api_, context_);
        // Geometry depends on the shape, shared memory only on the plan: any shape that launches
        // every entry tells it.
        const auto steps = launch_steps(plan, Shape{1, 1, 1, 1, 1});
        for (const std::string& symbol : symbols) {
            const auto step = std::find_if(steps.begin(), steps.end(), [&](const LaunchStep& each) {
                return each.entry == symbol;
            });
            if (step == steps.end()) {
                throw Error(ErrorCode::kInternal, "the source has an entry that nothing launches",
                            symbol);
            }
            entries_.push_back(load_entry(symbol, *step, device));
        }
    }

    ReadyStep make_ready(const LaunchStep& step, bool is_first) const override {
        const int64_t at_once = multiprocessors_ * step.ctas_per_sm / step.cluster * step.cluster;
        const int64_t ctas = step.ctas_per_sm > 0 ? std::min(step.ctas, at_once) : step.ctas;
        ReadyStep ready;
        ready.function = find_function(step.entry);
        CUlaunchConfig& config = ready.config;
        config.gridDimX = static_cast<unsigned>(ctas);
        config.blockDimX = static_cast<unsigned>(step.threads);
        config.gridDimY = config.gridDimZ = config.blockDimY = config.blockDimZ = 1;
        config.sharedMemBytes = static_cast<unsigned>(step.shared_bytes);
        config.attrs = &overlap_;
        // Only with the step before of this very call: other kernels promise nothing.
        config.numAttrs = step.may_overlap && !is_first ? 1 : 0;
        return ready;
    }

    int multiprocessors() const override { return static_cast<int>(multiprocessors_); }

    void throw_refused(const ReadyStep& step, CUresult result) const override {
        const CUlaunchConfig& config = step.config;
        std::string_view symbol;
        for (const Entry& entry : entries_) {
            if (entry.function == step.function) symbol = entry.symbol;
        }
        throw Error(ErrorCode::kLaunchFailed,
                    fmt::format("cuLaunchKernelEx returned {} for {} CTAs of {} threads with {} "
                                "bytes of shared memory",
                                api_.describe(result), config.gridDimX, config.blockDimX,
                                config.sharedMemBytes),
                    fmt::format("{} {}", where_, symbol));
    }

    void encode_tensor_map(const TensorMapRequest& request, abi::TensorMap& map) const override {
        if (driver_lost_by_fork()) throw_driver_lost_by_fork();
        const ScopedContext scope(api_, context_);
        encode_cuda_tensor_map(api_, request, map);
    }

  private:
    // Everything the first launch would otherwise do lazily, which a graph capture forbids.
    Entry load_entry(const std::string& symbol, const LaunchStep& step,
                     const Device& device) const {
        const std::string where = where_ + " " + symbol;
        const auto check = [&](CUresult result, const char* function) {
            api_.check(result, function, ErrorCode::kLaunchFailed, where);
        };
        CUkernel kernel = nullptr;
        Entry entry{step.entry, nullptr};
        check(api_.library_get_kernel(&kernel, library_.get(), symbol.c_str()),
              "cuLibraryGetKernel");
        check(api_.kernel_set_attribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                        step.shared_bytes, kernel, device_handle(device.ordinal())),
              "cuKernelSetAttribute");
        check(api_.kernel_get_function(&entry.function, kernel), "cuKernelGetFunction");
        if (api_.func_load != nullptr) check(api_.func_load(entry.function), "cuFuncLoad");
        return entry;
    }

    const void* find_function(std::string_view symbol) const {
        for (const Entry& entry : entries_) {
            if (entry.symbol == symbol) return entry.function;
        }
        throw Error(ErrorCode::kInternal, "a launch names an entry the source does not have",
                    std::string(symbol));
    }

    const DriverApi& api_;
    CUcontext context_;
    std::string where_;
    int64_t multiprocessors_;
    LoadedLibrary library_;
    std::vector<Entry> entries_;
    mutable CUlaunchAttribute overlap_{};  // the driver only reads it
};

}  // namespace

std::unique_ptr<Executor> make_cuda_executor(const Plan& plan, const Source& source,
                                             const Device& device, const PrepareOptions& options,
                                             PrepareReport& report) {
    const auto start = std::chrono::steady_clock::now();
    const ObtainedCubin obtained = obtain_cubin(source.text, generator_version(), plan.target.name,
                                                "sagejit-" + source.hash + ".cu", options);
    auto executor =
        std::make_unique<CudaExecutor>(plan, source.entries, device, obtained.cubin->bytes);
    executor->slow_code = slow_code_problem(obtained.cubin->entries, obtained.cubin->warnings);
    const std::chrono::duration<double, std::milli> elapsed =
        std::chrono::steady_clock::now() - start;
    report.from_cache = obtained.from_cache;
    report.compile_ms = obtained.compile_ms;
    report.load_ms = elapsed.count() - obtained.compile_ms;
    return executor;
}

std::unique_ptr<Executor> load_cuda_executor(const Plan& plan, std::span<const std::string> entries,
                                             const Device& device, std::span<const uint8_t> cubin,
                                             PrepareReport& report) {
    const auto start = std::chrono::steady_clock::now();
    auto executor = std::make_unique<CudaExecutor>(plan, entries, device, cubin);
    const std::chrono::duration<double, std::milli> elapsed =
        std::chrono::steady_clock::now() - start;
    report.load_ms = elapsed.count();
    return executor;
}

}  // namespace sagejit
