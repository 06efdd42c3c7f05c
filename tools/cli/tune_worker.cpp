#include "tune_worker.h"

#include <fmt/format.h>

#include <chrono>
#include <iostream>
#include <map>

#include "accuracy.h"
#include "attention_call.h"
#include "bench/bench.h"
#include "host/instruction_counts.h"
#include "obtain_cubin.h"
#include "sagejit/generator/source.h"
#include "slow_code.h"
#include "tensor/distributions.h"

namespace sagejit::cli {
namespace {

// Ragged on both axes and past several tiles; fp64 attention of it takes milliseconds.
constexpr Shape kCheckShape{1, 2, 1, 301, 613};

Json error_json(std::string_view code, std::string_view message) {
    return {{"error", {{"code", code}, {"message", message}}}};
}

Json summary_json(const SampleSummary& ms) {
    return {{"median_ms", ms.median}, {"q1_ms", ms.q1},   {"q3_ms", ms.q3},
            {"min_ms", ms.min},       {"max_ms", ms.max}, {"samples", ms.count}};
}

Json counts_json(const host::InstructionCounts& counts) {
    return {{"mma", counts.mma},           {"wgmma", counts.wgmma},
            {"ldmatrix", counts.ldmatrix}, {"stmatrix", counts.stmatrix},
            {"shuffles", counts.shuffles}, {"votes", counts.votes},
            {"barriers", counts.barriers}, {"total", counts.total()}};
}

InputFile check_input_for(const Spec& spec) {
    AttentionInput drawn =
        make_input("normal", kCheckShape, spec.head_dim, spec.head_dim_v, spec.dtype, 1);
    return {"tune",     "tune", std::move(drawn.q), std::move(drawn.k), std::move(drawn.v),
            kCheckShape};
}

class Worker {
  public:
    explicit Worker(const Json& subject)
        : spec_(parse_spec(subject.at("spec").dump())),
          device_(Device::parse(subject.at("device").get<std::string>())),
          plans_(candidates(spec_, find_target(subject.at("target").get<std::string>()))),
          monitor_(device_),
          stream_(device_) {}

    Json answer(const Json& request) {
        const std::string what = request.at("do").get<std::string>();
        const size_t candidate = request.value("candidate", size_t{0});
        if (what == "compile") return compile(plans_.at(candidate));
        if (what == "check") return check(kernel(candidate));
        const auto sizes = request.at("shape").get<std::vector<int64_t>>();
        const Shape shape{sizes.at(0), sizes.at(1), sizes.at(2), sizes.at(3), sizes.at(4)};
        if (what == "turn") return take_turn(request, shape);
        return measure(kernel(candidate), shape, request.at("ms").get<double>());
    }

  private:
    Json compile(const Plan& plan) {
        if (device_.is_host()) {
            const Kernel compiled = prepare(plan, device_, {});
            return {{"compile_ms", compiled.report().compile_ms}};
        }
        // As prepare does it, so that the measuring process finds it in the cache.
        const Source source = emit(plan);
        const ObtainedCubin obtained =
            obtain_cubin(source.text, generator_version(), plan.target.name,
                         "sagejit-" + source.hash + ".cu", {});
        Json answer = {
            {"compile_ms", obtained.compile_ms},
            {"slow_code", slow_code_problem(obtained.cubin->entries, obtained.cubin->warnings)}};
        for (const CubinEntry& entry : obtained.cubin->entries) {
            if (entry.symbol != source.entries.back()) continue;
            answer["registers"] = entry.registers;
            answer["spill_bytes"] = entry.spill_store_bytes + entry.spill_load_bytes;
        }
        return answer;
    }

    const Kernel& kernel(size_t candidate) {
        const auto known = kernels_.find(candidate);
        if (known != kernels_.end()) return known->second;
        return kernels_.emplace(candidate, prepare(plans_.at(candidate), device_, {}))
            .first->second;
    }

    Json check(const Kernel& kernel) {
        if (!references_) {
            input_.emplace(check_input_for(spec_));
            references_.emplace(*input_, default_logit_scale(spec_.head_dim));
        }
        const float scale = default_logit_scale(spec_.head_dim);
        const host::InstructionCounts before = host::instructions_executed();
        const AttentionOutput output = call_attention(kernel, *input_, scale);
        const host::InstructionCounts counts = host::instructions_executed() - before;
        const Verdict verdict = judge(kernel, *references_, output, std::nullopt);
        return {{"rel_l1", verdict.measured.o.rel_l1},
                {"limit", verdict.rel_l1_limit},
                {"passed", verdict.passed()},
                {"instructions", device_.is_host() ? counts_json(counts) : Json(nullptr)},
                {"failures", verdict.failures}};
    }

    // The same for all candidates: their workspaces differ little.
    const OperandSets& operands(const Kernel& kernel, const Shape& shape) {
        if (!operands_ || !same(shape, shape_)) {
            calls_.clear();
            operands_.reset();
            const size_t memory = free_memory(device_) / 4 * 3;
            const int sets = OperandSets::choose_count(spec_, shape, kernel.workspace_size(shape),
                                                       cache_bytes(device_), memory);
            const RandomPool pool(device_, spec_.dtype, OperandSets::bytes_per_set(spec_, shape),
                                  0);
            operands_.emplace(device_, spec_, shape, sets, pool);
            shape_ = shape;
        }
        return *operands_;
    }

    // Kept from turn to turn, as long as there is memory for their workspaces.
    const CallSets& calls(size_t candidate, const Shape& shape) {
        const Kernel& kernel = this->kernel(candidate);
        const OperandSets& sets = operands(kernel, shape);
        const auto known = calls_.find(candidate);
        if (known != calls_.end()) return known->second;
        const size_t needed = kernel.workspace_size(shape) * static_cast<size_t>(sets.count());
        if (needed > free_memory(device_) / 4 * 3) calls_.clear();
        return calls_.try_emplace(candidate, kernel, sets, shape, stream_).first->second;
    }

    // One after the other without a pause.
    Json take_turn(const Json& request, const Shape& shape) {
        const auto order = request.at("candidates").get<std::vector<size_t>>();
        const Phase phase =
            request.value("attention", false) ? Phase::kAttention : Phase::kWholeCall;
        TimingOptions options = timing_options(request.at("ms").get<double>());
        options.min_samples = 2;
        Json times = Json::array();
        monitor_.start();
        const auto began = std::chrono::steady_clock::now();
        for (const size_t candidate : order) {
            const CallSets& sets = calls(candidate, shape);
            const Timing timing = time_launches(
                stream_, [&](int64_t index) { sets.launch(phase, index); }, options);
            times.push_back(timing.ms.median);
        }
        const std::chrono::duration<double, std::milli> spent =
            std::chrono::steady_clock::now() - began;
        const std::optional<GpuReadings> gpu = monitor_.stop();
        return {{"ms", std::move(times)},
                {"spent_ms", spent.count()},
                {"sm_clock_mhz", clock_json(gpu)}};
    }

    TimingOptions timing_options(double ms) const {
        TimingOptions options;
        options.measure_ms = ms;
        options.warmup_ms = ms / 2;
        options.min_samples = 3;
        options.sample_ms = device_.is_host() ? 0 : std::min(2.0, ms / 4);
        return options;
    }

    static Json clock_json(const std::optional<GpuReadings>& gpu) {
        if (!gpu || gpu->sm_clock_mhz.count == 0) return nullptr;
        return gpu->sm_clock_mhz.median;
    }

    Json measure(const Kernel& kernel, const Shape& shape, double ms) {
        const OperandSets& sets = operands(kernel, shape);
        const TimingOptions options = timing_options(ms);
        const CallSets calls(kernel, sets, shape, stream_);
        const auto time = [&](Phase phase) {
            return time_launches(
                stream_, [&](int64_t index) { calls.launch(phase, index); }, options);
        };
        monitor_.start();
        const Timing whole = time(Phase::kWholeCall);
        const Timing attention = time(Phase::kAttention);
        const std::optional<GpuReadings> gpu = monitor_.stop();
        operands_->poison_outputs();
        for (int i = 0; i < operands_->count(); ++i) calls.launch(Phase::kWholeCall, i);
        stream_.synchronize();
        if (!operands_->outputs_finite()) {
            return error_json("wrong", "leaves outputs that are not finite");
        }
        return {{"whole_call", summary_json(whole.ms)},
                {"attention", summary_json(attention.ms)},
                {"sm_clock_mhz", clock_json(gpu)},
                {"driver", monitor_.driver_version()}};
    }

    static bool same(const Shape& a, const Shape& b) {
        return a.batch == b.batch && a.heads_q == b.heads_q && a.heads_kv == b.heads_kv &&
               a.len_q == b.len_q && a.len_k == b.len_k;
    }

    Spec spec_;
    Device device_;
    std::vector<Plan> plans_;
    GpuMonitor monitor_;
    Stream stream_;
    std::map<size_t, Kernel> kernels_;
    std::optional<InputFile> input_;
    std::optional<References> references_;
    std::optional<OperandSets> operands_;
    std::map<size_t, CallSets> calls_;  // of a race, on those operands
    Shape shape_;
};

void say(const Json& answer) {
    print(answer.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

// Whether nothing more can be done in this process after the error.
bool is_fatal(const Error& error) { return error.code() == ErrorCode::kLaunchFailed; }

}  // namespace

int run_tune_worker() {
    std::optional<Worker> worker;
    for (std::string line; std::getline(std::cin, line);) {
        try {
            const Json request = Json::parse(line);
            if (!worker) {
                worker.emplace(request);
                continue;
            }
            say(worker->answer(request));
        } catch (const Error& error) {
            say(error_json(to_string(error.code()), error.what()));
            if (is_fatal(error)) std::_Exit(kOk);  // destructors would wait for a lost context
        } catch (const std::exception& error) {
            say(error_json(to_string(ErrorCode::kInternal), error.what()));
        }
    }
    return kOk;
}

Json TuneWorker::ask(const Json& request, std::chrono::milliseconds timeout) {
    if (process_ == nullptr) {
        process_ = std::make_unique<ChildProcess>(std::vector<std::string>{kTuneWorkerVerb});
        const Json subject = {{"spec", Json::parse(to_json(subject_.spec))},
                              {"target", subject_.target},
                              {"device", subject_.device}};
        process_->send(subject.dump());
    }
    std::string line;
    const bool sent = process_->send(request.dump());
    const ChildProcess::Read read =
        sent ? process_->receive(line, timeout) : ChildProcess::Read::kEnded;
    if (read == ChildProcess::Read::kLine) {
        Json answer = Json::parse(line, nullptr, /*allow_exceptions=*/false);
        if (answer.is_discarded()) answer = error_json("crashed", "the worker answered nonsense");
        const auto error = answer.find("error");
        if (error != answer.end() && (*error)["code"] == to_string(ErrorCode::kLaunchFailed)) {
            process_.reset();
        }
        return answer;
    }
    const std::string end = process_->kill();
    process_.reset();
    if (read == ChildProcess::Read::kTimeout) {
        return error_json("hung", fmt::format("no answer for {} s", timeout.count() / 1000));
    }
    return error_json("crashed", "the worker ended: " + end);
}

}  // namespace sagejit::cli
