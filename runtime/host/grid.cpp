#include "host/grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <span>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "host/machine.h"
#include "sagejit/generator/error.h"

namespace sagejit::host {
namespace {

constexpr int64_t kMaxCtas = std::numeric_limits<int32_t>::max();
constexpr int kMaxSharedBytes = 256 * 1024;

int worker_count() {
    static const int count = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    return count;  // asking takes longer than a small launch
}

// Idle machines: their stacks and fibers take longer to make than a small CTA to run.
class MachinePool {
  public:
    std::unique_ptr<Machine> take() {
        {
            const std::lock_guard lock(mutex_);
            if (!idle_.empty()) {
                std::unique_ptr<Machine> machine = std::move(idle_.back());
                idle_.pop_back();
                return machine;
            }
        }
        return std::make_unique<Machine>();
    }
    void give_back(std::unique_ptr<Machine> machine) {
        const std::lock_guard lock(mutex_);
        if (idle_.size() < 2 * static_cast<std::size_t>(worker_count())) {
            idle_.push_back(std::move(machine));
        }
    }

  private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<Machine>> idle_;
};

// Never destroyed: a thread may still launch while the process exits.
MachinePool& machine_pool() {
    static MachinePool* pool = new MachinePool;
    return *pool;
}

// One launch, shared by its workers.
class Launch {
  public:
    Launch(const CtaJob& job, int64_t ctas, int cluster)
        : job_(job), ctas_(ctas), cluster_(cluster) {}

    // Executes CTAs until none is left or one has failed.
    void work() {
        int64_t cta = 0;
        try {
            std::array<std::unique_ptr<Machine>, kMostClusterCtas> machines;
            std::array<Machine*, kMostClusterCtas> in_use{};
            while (!failed_ && (cta = next_.fetch_add(cluster_)) < ctas_) {
                for (int i = 0; i < cluster_; ++i) {
                    if (!machines[i]) machines[i] = machine_pool().take();
                    in_use[i] = machines[i].get();
                }
                CtaJob job = job_;
                job.cta = static_cast<u32>(cta);
                if (cluster_ == 1) {
                    in_use[0]->run(job);
                } else {
                    Machine::run_cluster(std::span(in_use).first(cluster_), job);
                }
            }
            for (std::unique_ptr<Machine>& machine : machines) {
                if (machine) machine_pool().give_back(std::move(machine));
            }
        } catch (...) {
            fail(cta, std::current_exception());
        }
    }

    void rethrow() const {
        if (error_) std::rethrow_exception(error_);
    }

  private:
    // Keeps the error of the lowest CTA. Every CTA below it was started before it and has run to
    // its end, so which one that is does not depend on the workers.
    void fail(int64_t cta, std::exception_ptr error) {
        const std::lock_guard lock(mutex_);
        failed_ = true;
        if (cta >= failed_cta_) return;
        failed_cta_ = cta;
        error_ = std::move(error);
    }

    const CtaJob job_;
    const int64_t ctas_;
    const int cluster_;
    std::atomic<int64_t> next_ = 0;
    std::atomic<bool> failed_ = false;
    std::mutex mutex_;
    int64_t failed_cta_ = std::numeric_limits<int64_t>::max();
    std::exception_ptr error_;
};

void check_geometry(int64_t ctas, int threads, int shared_bytes, int cluster) {
    const bool whole = cluster >= 1 && cluster <= kMostClusterCtas && ctas % cluster == 0;
    if (!whole) {
        throw Error(ErrorCode::kLaunchFailed,
                    fmt::format("a grid of {} CTAs in clusters of {}", ctas, cluster), {},
                    fmt::format("whole clusters of at most {}", kMostClusterCtas));
    }
    const bool good = ctas >= 0 && ctas <= kMaxCtas && threads > 0 && threads <= kMaxThreads &&
                      threads % kWarpLanes == 0 && shared_bytes >= 0 &&
                      shared_bytes <= kMaxSharedBytes;
    if (good) return;
    throw Error(ErrorCode::kLaunchFailed,
                fmt::format("a grid of {} CTAs with {} threads and {} bytes of shared memory", ctas,
                            threads, shared_bytes),
                {},
                fmt::format("at most {} CTAs, {} threads in whole warps of {}, {} bytes", kMaxCtas,
                            kMaxThreads, kWarpLanes, kMaxSharedBytes));
}

}  // namespace

void run_grid(KernelFunction kernel, const abi::Call& call, int64_t ctas, int threads,
              int shared_bytes, uint64_t seed, int cluster) {
    check_geometry(ctas, threads, shared_bytes, cluster);
    CtaJob job;
    job.kernel = kernel;
    job.call = &call;
    job.ctas = static_cast<u32>(ctas);
    job.threads = threads;
    job.shared_bytes = shared_bytes;
    job.seed = seed;
    Launch launch(job, ctas, cluster);
    {
        std::vector<std::jthread> workers;
        const int64_t extra = std::min<int64_t>(worker_count(), ctas / cluster) - 1;
        try {
            for (int64_t i = 0; i < extra; ++i) workers.emplace_back([&] { launch.work(); });
        } catch (const std::system_error&) {
            // Fewer threads than cores will do: this one works too.
        }
        launch.work();
    }
    launch.rethrow();
}

}  // namespace sagejit::host
