// sagejit tune: which plan of a config is fastest for which sizes, by measurement.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <memory>
#include <thread>

#include "attention_call.h"
#include "bench_row.h"
#include "driver.h"
#include "measurement_html.h"
#include "output_path.h"
#include "stopwatch.h"
#include "table.h"
#include "tune_explain.h"
#include "tune_pair.h"
#include "verbs.h"

namespace sagejit::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
    std::vector<std::string> configs, shapes;
    std::string shapes_file, budget = "60s", timeout, target, device, html;
    uint64_t jobs = 0;
    bool exhaustive = false, again = false, explain = false, json = false;
};

constexpr uint64_t kMostJobs = 256;

// "90", "90s" or "5m". option: for the error.
std::chrono::seconds parse_time(const char* option, const std::string& text) {
    int64_t count = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, count);
    const std::string_view unit(stop, static_cast<size_t>(end - stop));
    constexpr int64_t kMost = 1'000'000;
    if (error == std::errc() && count > 0 && count <= kMost) {
        if (unit.empty() || unit == "s") return std::chrono::seconds(count);
        if (unit == "m") return std::chrono::minutes(count);
    }
    throw UsageError(fmt::format("{} {} is not a time", option, text), "e.g. 60s or 5m");
}

TuneTimeouts timeouts_of(const Options& options) {
    if (options.timeout.empty()) return {};
    const std::chrono::seconds timeout = parse_time("--timeout", options.timeout);
    return {timeout, timeout, timeout};
}

std::vector<Sizes> read_shapes(const Options& options) {
    std::vector<std::string> texts = options.shapes;
    if (!options.shapes_file.empty()) {
        std::ifstream file(options.shapes_file);
        if (!file) {
            throw Error(ErrorCode::kIo, "cannot be read", options.shapes_file,
                        "name a file with a shape a line");
        }
        for (std::string line; std::getline(file, line);) {
            if (!line.empty() && line.front() != '#') texts.push_back(line);
        }
    }
    if (texts.empty()) throw UsageError("no shapes", "give --shape or --shapes");
    std::vector<Sizes> all;
    for (const std::string& text : texts) {
        all.push_back(parse_sizes(text));
        const Shape& shape = all.back().shape;
        if (std::min({shape.batch, shape.heads_q, shape.len_q, shape.len_k}) > 0) continue;
        throw Error(ErrorCode::kInvalidArgument, "leaves nothing to measure", "--shape " + text,
                    "use sizes from 1");
    }
    return all;
}

bool fits(const Config& config, const Sizes& sizes) {
    return config.spec.head_dim == sizes.head_dim && config.spec.head_dim_v == sizes.head_dim_v;
}

// Every shape with the configs of its head dimensions; each must find one, and each config a shape.
void check_pairs(const std::vector<Config>& configs, const std::vector<Sizes>& shapes) {
    for (const Sizes& sizes : shapes) {
        if (std::any_of(configs.begin(), configs.end(),
                        [&](const Config& config) { return fits(config, sizes); })) {
            continue;
        }
        throw Error(ErrorCode::kInvalidArgument, "no config is for these head dimensions",
                    "--shape " + sizes.text,
                    fmt::format("add a config with \"head_dim\": {}", sizes.head_dim));
    }
    for (const Config& config : configs) {
        if (std::any_of(shapes.begin(), shapes.end(),
                        [&](const Sizes& sizes) { return fits(config, sizes); })) {
            continue;
        }
        throw Error(ErrorCode::kInvalidArgument, "no shape has this config's head dimensions",
                    config.file, fmt::format("add a shape with D {}", config.spec.head_dim));
    }
}

TuneConfig make_tune_config(const Config& config, const Device& device) {
    Spec spec = config.spec;
    if (!spec.target && !device.is_host()) spec.target = std::string(device.target_for(spec).name);
    const Target& target = find_target(spec.target.value_or(std::string(kDefaultTarget)));
    plan_config({config.file, config.name, spec});  // throws where no plan fits
    const int multiprocessors = device.is_host() ? 0 : gpu_info(device.ordinal()).multiprocessors;
    return {config, target, device, describe_device(device), rates_for(target, multiprocessors)};
}

// One line that is written over where stderr is a terminal.
class ProgressLine {
  public:
    void show(const std::string& text) {
        if (!terminal_) return;
        std::string line = "\r" + text;
        line.resize(std::max(line.size(), width_), ' ');
        width_ = line.size();
        (void)!::write(STDERR_FILENO, line.data(), line.size());
    }
    void clear() {
        if (width_ == 0) return;
        const std::string line = "\r" + std::string(width_, ' ') + "\r";
        (void)!::write(STDERR_FILENO, line.data(), line.size());
        width_ = 0;
    }

  private:
    bool terminal_ = ::isatty(STDERR_FILENO) == 1;
    size_t width_ = 0;
};

TitledTables make_tables(const std::vector<PairOutcome>& outcomes) {
    TitledTables tables({"shape", "winner", "ms", "default ms", "gain", "tried", "rank", "limit"});
    for (const PairOutcome& outcome : outcomes) {
        std::vector<std::string> cells = {outcome.sizes->text};
        if (!outcome.record) {
            cells.push_back("none");
            cells.resize(8, "-");
            tables.add(outcome.config->name, std::move(cells));
            continue;
        }
        const TuningRecord& record = *outcome.record;
        const size_t winner = *outcome.search.winner;
        const double ms = outcome.estimate ? record.predicted_ms : record.whole_call->median;
        double standard = outcome.estimate ? record.default_predicted_ms : 0;
        if (record.default_whole_call) standard = record.default_whole_call->median;
        cells.push_back(plan_summary(outcome.plans[winner]));
        cells.push_back(fmt::format("{}{:.4g}", outcome.estimate ? "~" : "", ms));
        cells.push_back(standard > 0 ? fmt::format("{:.4g}", standard) : "-");
        cells.push_back(fmt::format("{:.1f} %", outcome.gain() * 100));
        cells.push_back(fmt::format("{}/{}", outcome.results.size(), outcome.plans.size()));
        cells.push_back(fmt::to_string(outcome.predicted_rank()));
        cells.push_back(std::string(to_string(outcome.predictions[winner].limit)));
        tables.add(outcome.config->name, std::move(cells));
    }
    return tables;
}

int run_explain(const std::vector<Config>& configs, const std::vector<Sizes>& shapes,
                const Device& device, bool json) {
    const TuningStore store({});
    std::string text;
    Json results = Json::array();
    for (const Config& config : configs) {
        const TuneConfig tuned = make_tune_config(config, device);
        for (const Sizes& sizes : shapes) {
            if (!fits(config, sizes)) continue;
            const Explanation explanation = explain(tuned, sizes, store);
            text += explanation_text(explanation);
            results.push_back(explanation_json(explanation));
        }
    }
    if (json) {
        print_json({{"results", std::move(results)}});
    } else {
        print(printable(text));
    }
    return kOk;
}

int jobs_for(const Options& options) {
    if (options.jobs > 0) return static_cast<int>(options.jobs);
    // One core is left to the measuring process.
    return std::clamp(static_cast<int>(std::thread::hardware_concurrency()) - 1, 1, 32);
}

std::vector<PairOutcome> tune_all(const std::vector<Config>& configs,
                                  const std::vector<Sizes>& shapes, const Device& device,
                                  const Options& options) {
    const Clock::time_point end = Clock::now() + parse_time("--budget", options.budget);
    const TuningStore store({});
    SearchOptions search;
    search.exhaustive = options.exhaustive;
    if (options.exhaustive) {  // others are judged by it
        search.race_within *= 1.5;
        search.race.most_turns = search.race.most_turns * 3 / 2;
        search.race.most_ms *= 1.5;
    }
    size_t left = 0;
    for (const Config& config : configs) {
        for (const Sizes& sizes : shapes) left += fits(config, sizes);
    }
    const size_t total = left;
    std::vector<PairOutcome> outcomes;
    ProgressLine line;
    for (const Config& config : configs) {
        const TuneConfig tuned = make_tune_config(config, device);
        TuneSession session({config.spec, std::string(tuned.target.name), device.text()},
                            candidates(config.spec, tuned.target), tuned.described, store,
                            jobs_for(options), options.again, timeouts_of(options));
        for (const Sizes& sizes : shapes) {
            if (!fits(config, sizes)) continue;
            note(fmt::format("tuning {} on {} ({} of {})", config.name, sizes.text,
                             total - left + 1, total));
            // What earlier ones did not use is shared by the rest.
            const Clock::time_point deadline =
                Clock::now() + (end - Clock::now()) / static_cast<int64_t>(left);
            const auto progress = [&](size_t tried, size_t of, const std::string& best) {
                const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
                    std::max(Clock::duration::zero(), deadline - Clock::now()));
                line.show(fmt::format("  {} of {} candidates, best {}, at most {} s left", tried,
                                      of, best, seconds.count()));
            };
            outcomes.push_back(tune_pair(tuned, sizes, session, store, search, deadline, progress));
            line.clear();
            --left;
        }
    }
    return outcomes;
}

int run_tune(const Options& options) {
    parse_time("--budget", options.budget);
    timeouts_of(options);
    if (options.jobs > kMostJobs) {
        throw UsageError(fmt::format("--jobs {} is above {}", options.jobs, kMostJobs));
    }
    const std::vector<Config> configs = read_configs(options.configs, options.target);
    const std::vector<Sizes> shapes = read_shapes(options);
    check_pairs(configs, shapes);
    if (!options.html.empty()) {
        if (options.explain) throw UsageError("--html and --explain exclude each other");
        check_output(options.html, options.configs);
    }
    const Device device = choose_device(options.device);
    if (options.explain) return run_explain(configs, shapes, device, options.json);
    if (device.is_host()) {
        note("no GPU: candidates are ranked by the analytic model; prepare does not use estimates");
    }
    Stopwatch stopwatch;
    const std::vector<PairOutcome> outcomes = tune_all(configs, shapes, device, options);
    const double seconds = stopwatch.lap() / 1e3;
    bool all = true;
    Json results = Json::array();
    for (const PairOutcome& outcome : outcomes) {
        all = all && outcome.record.has_value();
        for (const auto& [candidate, result] : outcome.results) {
            if (result.error.empty()) continue;
            note(fmt::format("{} {}: {}: {}", outcome.config->name,
                             plan_summary(outcome.plans[candidate]), result.status, result.error));
        }
        if (!outcome.search.complete) {
            note(fmt::format("{} on {}: the budget ended the search early; run again to go on",
                             outcome.config->name, outcome.sizes->text));
        }
        results.push_back(outcome_json(outcome));
    }
    const Json data = {{"device", device.text()},
                       {"device_name", device.name()},
                       {"seconds", seconds},
                       {"exhaustive", options.exhaustive},
                       {"records", TuningStore({}).path(TuningStore::kRecords).string()},
                       {"results", std::move(results)}};
    if (!options.html.empty()) {
        write_text_file(options.html, tune_html(data["results"], data));
        note(fmt::format("wrote {}", options.html));
    }
    if (options.json) {
        print_json(data);
    } else {
        print(make_tables(outcomes).terminal_text(stdout_shows_colour()));
    }
    return all ? kOk : kVerificationFailure;
}

}  // namespace

void add_tune(CommandLine& line) {
    auto options = std::make_shared<Options>();
    Verb verb(line, "tune", "Find the fastest plans of configs by measurement");
    verb.configs(options->configs);
    verb.texts("-s,--shape", options->shapes, kShapePlaceholder,
               "Batch, query heads, KV heads, query tokens, key tokens, head_dim [, of V];\n"
               "several may be given: each is tuned with the configs of its head_dim");
    verb.text("--shapes", options->shapes_file, "FILE", "More of them, one a line");
    verb.text("--budget", options->budget, "TIME", "For all of it, e.g. 60s or 5m (default: 60s)");
    verb.text("--timeout", options->timeout, "TIME",
              "Give up on a candidate whose compilation, check or measurement takes longer\n"
              "(default: 120s to compile, 60s for each of the others)");
    verb.device(options->device);
    verb.target(options->target, run_target_fallback());
    verb.flag("--exhaustive", options->exhaustive,
              "Measure every candidate, whatever the model says of it");
    verb.flag("--again", options->again, "Measure also what was measured before");
    verb.whole_number("--jobs", options->jobs, "N",
                      "Processes that compile (default: the cores but one)");
    verb.flag("--explain", options->explain, "Measure nothing: say which plan is used and why");
    verb.text("--html", options->html, "FILE", "Write a report with pictures to this file");
    verb.json(options->json);
    verb.footer(
        "The winners are kept in the cache directory, and kernels prepared for such sizes use\n"
        "them from then on. An interrupted tuning goes on where it was. On the host device\n"
        "candidates are ranked by a model and by the instructions they execute, and the records\n"
        "say so.\n\n"
        "Examples:\n"
        "  sagejit tune --config configs/thread-d128.json --shape 4,32,32,4096,4096,128 \\\n"
        "      --device cuda:0 --budget 60s\n"
        "  sagejit tune --config configs/thread-d64.json --shape 4,32,32,4096,4096,64 \\\n"
        "      --device host --target sm_90\n"
        "  sagejit tune --config configs/thread-d64.json --shape 4,32,32,4096,4096,64 --explain");
    verb.action([options] { return run_tune(*options); });
}

}  // namespace sagejit::cli
