#include "bundle/build.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "bundle/build_answer.h"
#include "bundle/describe.h"
#include "bundle/workers.h"
#include "bundle/write.h"
#include "obtain_cubin.h"
#include "sagejit/generator/source.h"
#include "slow_code.h"
#include "tune/choose.h"

namespace sagejit {
namespace {

// A request with what was decided about it, or one of several decisions.
struct Job {
    const BuildRequest* request = nullptr;
    Plan plan;
    Source source;
    std::vector<BundleTuning> tuned;
    bool is_extra = false;  // a tuning record's, beside the default
    std::optional<BuildAnswer> answer;
    std::string left_out;  // why
};

BundleTuning tuning_of(const TuningRecord& record) {
    return {record.device.name, record.device.multiprocessors, record.device.compute_capability,
            record.bucket.rows, record.bucket.len_q,           record.bucket.len_k};
}

class Builder {
  public:
    Builder(std::span<const BuildRequest> requests, const BuildOptions& options,
            const BuildReport& report)
        : requests_(requests), options_(options), report_(report) {}

    BuildResult run() {
        plan_all();
        if (!jobs_.empty()) compile_all();
        collect();
        return std::move(result_);
    }

  private:
    void plan_all() {
        std::map<std::pair<std::string, std::string>, std::string> known;
        for (const BuildRequest& request : requests_) {
            try {
                const auto [first, is_new] = known.emplace(
                    std::pair(spec_identity(request.spec), request.target), request.name);
                if (!is_new) {
                    result_.merged.push_back(fmt::format("{} for {} is the same kernel as {}",
                                                         request.name, request.target,
                                                         first->second));
                    continue;
                }
                plan_one(request, find_target(request.target));
            } catch (const Error& error) {
                failures_.emplace(&request,
                                  Error(error.code(), error.message(),
                                        request.where + ": " + error.where(), error.fix()));
            }
        }
        total_ = jobs_.size() + failures_.size();
        for (const auto& [request, error] : failures_) tell(*request, nullptr, &error);
    }

    void plan_one(const BuildRequest& request, const Target& target) {
        const size_t before = jobs_.size();
        const auto add = [&](Plan plan, std::vector<BundleTuning> tuned) {
            Source source = emit(plan);
            Job& job = jobs_.emplace_back();
            job.request = &request;
            job.source = std::move(source);
            job.plan = std::move(plan);
            job.tuned = std::move(tuned);
            job.is_extra = jobs_.size() > before + 1;
        };
        if (!options_.tuned) return add(make_plan(request.spec, target), {});
        if (!records_) records_ = all_records(options_.cache_directory);
        for (const TunedPlan& each : tuned_plans(request.spec, target, *records_)) {
            std::vector<BundleTuning> tuned;
            for (const TuningRecord* record : each.records) tuned.push_back(tuning_of(*record));
            add(each.plan, std::move(tuned));
        }
    }

    // In a worker.
    std::string compile(size_t index) const {
        const Job& job = jobs_[index];
        BuildAnswer answer;
        try {
            PrepareOptions options;
            options.use_cache = options_.use_cache;
            options.cache_directory = options_.cache_directory;
            const ObtainedCubin obtained =
                obtain_cubin(job.source.text, generator_version(), job.plan.target.name,
                             job.request->name, options);
            const NvrtcInfo& nvrtc = obtained.nvrtc;
            answer.cubin = *obtained.cubin;
            answer.from_cache = obtained.from_cache;
            answer.compile_ms = obtained.compile_ms;
            answer.nvrtc = nvrtc.version();
            answer.options = compile_options(nvrtc, job.plan.target.name);
            answer.libraries = {nvrtc.path};
            if (!nvrtc.builtins_path.empty()) answer.libraries.push_back(nvrtc.builtins_path);
        } catch (const Error& error) {
            answer.error = error;
        } catch (const std::exception& error) {
            answer.error = Error(ErrorCode::kInternal, error.what());
        }
        return encode_answer(answer);
    }

    void compile_all() {
        const auto task = [this](size_t index) { return compile(index); };
        run_workers(jobs_.size(), options_.processes, task, [this](const WorkerResult& result) {
            Job& job = jobs_[result.job];
            BuildAnswer answer;
            if (result.crashed) {
                answer.error = Error(ErrorCode::kCompileFailed,
                                     "the process that compiled it " + result.answer,
                                     job.request->name, "use fewer jobs if memory ran out");
            } else {
                answer = decode_answer(result.answer);
            }
            if (!answer.error) judge_code(job, answer);
            if (answer.error) {
                failures_.emplace(job.request, *answer.error);
                tell(*job.request, nullptr, &*answer.error);
                return answer.error->code() != ErrorCode::kNoNvrtc;
            }
            if (!job.left_out.empty()) {
                tell(*job.request, nullptr, nullptr);
                return true;
            }
            job.answer = std::move(answer);
            const BuildStep step = step_of(job);
            tell(*job.request, &step, nullptr);
            return true;
        });
    }

    // What ptxas could not make as planned.
    void judge_code(Job& job, BuildAnswer& answer) const {
        const std::string problem = slow_code_problem(answer.cubin.entries, answer.cubin.warnings);
        if (problem.empty()) return;
        if (job.is_extra && !options_.allow_slow_code) {
            job.left_out = fmt::format("a tuned plan of {} for {} is left out: {}",
                                       job.request->name, job.request->target, problem);
        } else if (!options_.allow_slow_code) {
            try {
                throw_slow_code(job.plan, problem, chooses_tiles(job.request->spec));
            } catch (const Error& error) {
                answer.error = Error(error.code(), error.message(),
                                     job.request->where + ": " + error.where(), error.fix());
            }
        }
    }

    BuildStep step_of(const Job& job) const {
        const BuildAnswer& answer = *job.answer;
        BundleKernel kernel = describe_kernel(job.request->name, job.request->spec, job.plan,
                                              job.source, answer.cubin.entries, answer.options);
        kernel.tuned = job.tuned;
        constexpr size_t kMostText = 1000;  // a manifest has no room for a compiler's novel
        kernel.slow_code =
            slow_code_problem(answer.cubin.entries, answer.cubin.warnings).substr(0, kMostText);
        return {std::move(kernel), answer.from_cache, answer.compile_ms, answer.cubin.warnings};
    }

    void collect() {
        for (const BuildRequest& request : requests_) {
            if (const auto failed = failures_.find(&request); failed != failures_.end()) {
                result_.failures.push_back({request.name, request.target, failed->second});
            }
        }
        std::vector<BuiltKernel> built;
        std::set<std::string> versions;
        for (const Job& job : jobs_) {
            if (!job.left_out.empty()) result_.left_out.push_back(job.left_out);
            if (!job.answer) continue;
            result_.steps.push_back(step_of(job));
            result_.steps.back().kernel.cubin_bytes = job.answer->cubin.bytes.size();
            built.push_back({result_.steps.back().kernel, job.answer->cubin.bytes});
            versions.insert(job.answer->nvrtc);
            result_.nvrtc = job.answer->nvrtc;
            result_.libraries = job.answer->libraries;
        }
        if (versions.size() > 1) {
            throw Error(ErrorCode::kIo, "NVRTC was replaced while kernels were being compiled",
                        result_.libraries.front(), "build again");
        }
        if (result_.failures.empty()) {
            result_.bundle = encode_bundle(std::string(generator_id()), result_.nvrtc, built);
        }
    }

    void tell(const BuildRequest& request, const BuildStep* step, const Error* failure) {
        ++done_;
        report_({done_, total_, &request, step, failure});
    }

    std::span<const BuildRequest> requests_;
    const BuildOptions& options_;
    const BuildReport& report_;
    std::optional<std::vector<TuningRecord>> records_;
    std::vector<Job> jobs_;
    std::map<const BuildRequest*, Error> failures_;
    BuildResult result_;
    size_t done_ = 0, total_ = 0;
};

}  // namespace

BuildResult build_bundle(std::span<const BuildRequest> requests, const BuildOptions& options,
                         const BuildReport& report) {
    return Builder(requests, options, report).run();
}

}  // namespace sagejit
