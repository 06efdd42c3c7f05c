// Runs a plan's kernels on the CPU.
#include "executor.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "cache_directory.h"
#include "host/host_tensor_map.h"
#include "host/module.h"

namespace sagejit {
namespace {

// So few that most of them take several pieces of work, one after the other.
constexpr int kPersistentClusters = 3;

class HostExecutor final : public Executor {
  public:
    HostExecutor(host::HostModule module, uint64_t seed)
        : module_(std::move(module)), seed_(seed) {}

    ReadyStep make_ready(const LaunchStep& step, bool /*is_first*/) const override {
        return {.function = &step};
    }

    void run(std::span<const ReadyStep> steps, const abi::Call& call) const override {
        for (const ReadyStep& ready : steps) {
            const LaunchStep& step = *static_cast<const LaunchStep*>(ready.function);
            const int64_t ctas =
                step.ctas_per_sm > 0
                    ? std::min<int64_t>(step.ctas, kPersistentClusters * step.cluster)
                    : step.ctas;
            module_.run(std::string(step.entry), call, ctas, step.threads, step.shared_bytes, seed_,
                        step.cluster);
        }
    }

    int multiprocessors() const override { return kPersistentClusters; }

    void encode_tensor_map(const TensorMapRequest& request, abi::TensorMap& map) const override {
        check_tensor_map(request);
        map = host::encode_tensor_map(request);
    }

  private:
    host::HostModule module_;
    uint64_t seed_;
};

// $SAGEJIT_HOST_SEED, which repeats the schedule of a run that failed, else what was asked for.
uint64_t schedule_seed(const PrepareOptions& options) {
    const char* text = std::getenv("SAGEJIT_HOST_SEED");
    if (text == nullptr) return options.host_seed;
    uint64_t seed = 0;
    const char* end = text + std::strlen(text);
    const auto [rest, problem] = std::from_chars(text, end, seed);
    if (problem != std::errc() || rest != end) {
        throw Error(ErrorCode::kInvalidArgument, std::string("is not a number: ") + text,
                    "$SAGEJIT_HOST_SEED", "0 for the plain order, or any 64-bit number");
    }
    return seed;
}

}  // namespace

std::unique_ptr<Executor> make_host_executor(const Plan& /*plan*/, const Source& source,
                                             const PrepareOptions& options, PrepareReport& report) {
    const uint64_t seed = schedule_seed(options);
    host::HostModuleOptions module_options;
    if (options.use_cache) {
        module_options.cache_directory =
            options.cache_directory.empty() ? default_cache_directory() : options.cache_directory;
    }
    host::HostModule module = host::load_host_module(source.host_text, module_options);
    for (const std::string& entry : source.entries) module.entry(entry);
    report.from_cache = module.from_cache();
    report.compile_ms = module.compile_ms();
    report.load_ms = module.load_ms();
    return std::make_unique<HostExecutor>(std::move(module), seed);
}

}  // namespace sagejit
