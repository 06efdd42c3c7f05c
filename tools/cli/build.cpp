// sagejit build: configs and targets, compiled into one bundle.
#include "bundle/build.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <memory>
#include <span>

#include "bundle_report.h"
#include "config_file.h"
#include "dependency_file.h"
#include "output_path.h"
#include "progress.h"
#include "sagejit/generator/source.h"
#include "tensor/atomic_file.h"
#include "verbs.h"

namespace sagejit::cli {
namespace {

struct Options {
    std::vector<std::string> configs, targets;
    std::string output, dependencies;
    uint64_t jobs = 0;
    bool no_cache = false, tuned = false, allow_slow_code = false, json = false;
};

size_t usable_processors() {
    cpu_set_t set;
    CPU_ZERO(&set);
    const bool known = ::sched_getaffinity(0, sizeof set, &set) == 0;
    return known ? std::max(1, CPU_COUNT(&set)) : 1;
}

// Every config for every target; for its own where none is named.
std::vector<BuildRequest> requests_of(const Options& options) {
    for (const std::string& target : options.targets) find_target(target);
    std::vector<BuildRequest> requests;
    for (const Config& config : read_configs(options.configs, "")) {
        std::vector<std::string> targets = options.targets;
        if (targets.empty() && config.spec.target) targets = {*config.spec.target};
        if (targets.empty()) {
            throw UsageError(
                fmt::format("no target: neither --target nor {} names one", config.file),
                "add e.g. --target sm_80 sm_90");
        }
        for (const std::string& target : targets) {
            requests.push_back({config.name, config.file, config.spec, target});
        }
    }
    return requests;
}

void report_json(const Options& options, const BuildResult& result) {
    Json kernels = Json::array();
    for (const BuildStep& step : result.steps) {
        kernels.push_back({{"config", step.kernel.name},
                           {"target", step.kernel.target},
                           {"hash", step.kernel.source_hash},
                           {"from_cache", step.from_cache},
                           {"compile_ms", step.compile_ms},
                           {"cubin_bytes", step.kernel.cubin_bytes},
                           {"warnings", step.warnings},
                           {"slow_code", step.kernel.slow_code},
                           {"entries", entries_json(step.kernel)},
                           {"tuned", tuned_json(step.kernel)}});
    }
    print_json({{"file", options.output},
                {"bytes", result.bundle.size()},
                {"generator", generator_id()},
                {"nvrtc", result.nvrtc},
                {"kernels", std::move(kernels)}});
}

// All of them, as text and in JSON beside the error; the exit code is the first one's.
int report_failures(const Options& options, size_t requested, const BuildResult& result) {
    const Error& first = result.failures.front().error;
    Json failures = Json::array();
    for (const BuildFailure& failure : result.failures) {
        const Error& error = failure.error;
        failures.push_back({{"config", failure.name},
                            {"target", failure.target},
                            {"code", to_string(error.code())},
                            {"message", error.message()},
                            {"where", error.where()},
                            {"fix", error.fix()}});
        if (first.code() != ErrorCode::kNoNvrtc) {
            note(fmt::format("failed: {} for {}: {}", failure.name, failure.target, error.what()));
        }
    }
    const std::string message = first.code() == ErrorCode::kNoNvrtc
                                    ? first.message()
                                    : fmt::format("{} of {} failed; nothing was written",
                                                  result.failures.size(), kernel_count(requested));
    const ExitCode exit = report_error(exit_code(first.code()), to_string(first.code()), message,
                                       options.output, first.fix(), false);
    if (options.json) {
        print_json({{"error",
                     {{"code", to_string(first.code())},
                      {"message", message},
                      {"where", options.output},
                      {"fix", first.fix()}}},
                    {"failures", std::move(failures)}});
    }
    return exit;
}

BuildResult build(const std::vector<BuildRequest>& requests, const Options& options) {
    BuildOptions build_options;
    build_options.processes = options.jobs > 0 ? options.jobs : usable_processors();
    build_options.use_cache = !options.no_cache;
    build_options.tuned = options.tuned;
    build_options.allow_slow_code = options.allow_slow_code;
    Progress progress;
    BuildResult result =
        build_bundle(requests, build_options, [&progress](const BuildProgress& state) {
            const std::string what =
                fmt::format("{} for {}", state.request->name, state.request->target);
            const std::string outcome = state.failure != nullptr ? "failed"
                                        : state.step == nullptr  ? "left out"
                                        : state.step->from_cache
                                            ? "from the cache"
                                            : fmt::format("{:.0f} ms", state.step->compile_ms);
            progress.step(state.done, state.total, fmt::format("{}: {}", what, outcome));
            if (state.step != nullptr && !state.step->warnings.empty()) {
                progress.message(fmt::format("warnings of {}:\n{}", what, state.step->warnings));
            }
        });
    for (const std::string& text : result.merged) progress.message(text);
    for (const std::string& text : result.left_out) progress.message(text);
    return result;
}

int run_build(const Options& options) {
    check_output(options.output, options.configs);
    if (!options.dependencies.empty()) {
        if (options.dependencies == options.output) {
            throw UsageError("--depfile and --output name the same file");
        }
        check_output(options.dependencies, options.configs);
    }
    const std::vector<BuildRequest> requests = requests_of(options);
    const BuildResult result = build(requests, options);
    if (!result.failures.empty()) return report_failures(options, requests.size(), result);

    const auto bytes = std::as_bytes(std::span(result.bundle));
    write_file_atomically(options.output, std::array{bytes});
    if (!options.dependencies.empty()) {
        std::vector<std::string> inputs = options.configs;
        inputs.insert(inputs.end(), result.libraries.begin(), result.libraries.end());
        write_text_file(options.dependencies, dependency_rule(options.output, inputs));
    }
    if (options.json) {
        report_json(options, result);
    } else {
        print(printable(fmt::format("{}: {}, {} bytes, compiled by NVRTC {}\n", options.output,
                                    kernel_count(result.steps.size()), result.bundle.size(),
                                    result.nvrtc)));
    }
    return kOk;
}

std::string jobs_problem(uint64_t jobs) {
    constexpr uint64_t kMostJobs = 1024;
    return jobs <= kMostJobs ? "" : fmt::format("at most {} jobs are possible", kMostJobs);
}

}  // namespace

void add_build(CommandLine& line) {
    auto options = std::make_shared<Options>();
    Verb verb(line, "build", "Compile configs into a bundle, for programs that run without NVRTC");
    verb.configs(options->configs);
    verb.targets(options->targets);
    verb.text("-o,--output", options->output, "FILE", "Bundle to write, e.g. kernels.sjb",
              Presence::kRequired);
    verb.whole_number("-j,--jobs", options->jobs, "N",
                      "Processes that compile (default, and 0: one for each processor)");
    verb.flag(
        "--tuned", options->tuned,
        "Also the tiles that tuning records (sagejit tune) recommend, for the GPUs and sizes they "
        "were measured for");
    verb.allow_slow_code(options->allow_slow_code);
    verb.text("--depfile", options->dependencies, "FILE",
              "Also write a rule for make or ninja that names the configs and NVRTC");
    verb.no_cache(options->no_cache);
    verb.json(options->json);
    verb.footer(
        "Needs NVRTC, but no GPU. Each config is compiled for each target. All failures are told\n"
        "at the end, and then nothing is written.\n\nExample:\n"
        "  sagejit build --config configs/thread-d64.json --target sm_80 sm_90 -o kernels.sjb");
    verb.action([options] {
        if (const std::string problem = jobs_problem(options->jobs); !problem.empty()) {
            throw UsageError(problem);
        }
        return run_build(*options);
    });
}

}  // namespace sagejit::cli
