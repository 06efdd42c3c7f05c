// sagejit bench: how fast kernels are, alone and with the quantization of their operands.
#include "bench/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "attention_call.h"
#include "bench_row.h"
#include "bench_rows.h"
#include "config_file.h"
#include "json_lines.h"
#include "measurement_html.h"
#include "output_path.h"
#include "shape_option.h"
#include "slow_code.h"
#include "table.h"
#include "tensor/parallel.h"
#include "tune/choose.h"
#include "verbs.h"

namespace sagejit::cli {
namespace {

struct Options {
    std::vector<std::string> configs, shapes, from;
    std::string target, device, jsonl, html;
    uint64_t rotate = 0, iterations = 0, seed = 0;
    std::optional<double> min_time, rest;
    bool candidates = false, no_tuning = false, no_cache = false;
    bool allow_slow_code = false, json = false;
};

// Samples with a rest before each, unless --iterations says how many.
constexpr int kMostRests = 20;
constexpr double kLongestRest = 3600;
constexpr uint64_t kMostSets = 1000, kMostIterations = 1'000'000;
// Of the device's free memory; the rest is for the driver and whoever shares the device.
constexpr double kMemoryShare = 0.8;

// A plan of a config, compiled; error where that failed and other plans are tried.
struct Prepared {
    Plan plan;
    TuningMatch match = TuningMatch::kNone;  // what chose it
    std::optional<Kernel> kernel;
    std::optional<Error> error;
};

struct Report {
    Json rows = Json::array();
    TitledTables tables{
        {"plan", "shape", "attn ms", "spread", "TFLOPS", "peak", "call ms", "TFLOPS", "sets"}};
    bool finite = true;
};

TimingOptions timing_options(const Options& options, const Device& device) {
    TimingOptions timing;
    if (device.is_host()) {
        // The wall clock times what the CPU does; it has no launches to hide and no clocks to
        // ramp up, and is slow.
        timing.warmup_ms = 0;
        timing.sample_ms = 0;
        timing.min_samples = 3;
    }
    if (options.min_time) timing.measure_ms = *options.min_time * 1e3;
    if (options.rest) {
        timing.rest_ms = *options.rest * 1e3;
        timing.max_samples = kMostRests;
    }
    timing.iterations = static_cast<int>(options.iterations);
    return timing;
}

void check_options(const Options& options) {
    if (options.rotate > kMostSets) {
        throw UsageError(fmt::format("--rotate {} is above {}", options.rotate, kMostSets));
    }
    if (options.iterations > kMostIterations) {
        throw UsageError(
            fmt::format("--iterations {} is above {}", options.iterations, kMostIterations));
    }
    if (options.min_time && !(*options.min_time > 0)) {
        throw UsageError("--min-time is seconds above 0");
    }
    if (options.rest && !(*options.rest > 0 && *options.rest <= kLongestRest)) {
        throw UsageError(fmt::format("--rest is seconds above 0, at most {}", kLongestRest));
    }
    if (options.candidates && options.no_tuning) {
        throw UsageError("--candidates and --no-tuning exclude each other", "choose one");
    }
    if (options.min_time && options.iterations > 0) {
        throw UsageError("--min-time and --iterations exclude each other", "choose one");
    }
}

void check_fit(const Config& config, const Sizes& sizes) {
    const auto check = [&](const char* key, int64_t given, int asked) {
        if (given == asked) return;
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("has {} {}, {} is for {}", key, given, config.file, asked),
                    "--shape " + sizes.text,
                    fmt::format("use a config with \"{}\": {}", key, given));
    };
    check("head_dim", sizes.head_dim, config.spec.head_dim);
    check("head_dim_v", sizes.head_dim_v, config.spec.head_dim_v);
}

void check_not_empty(const Sizes& sizes) {
    const Shape& shape = sizes.shape;
    if (std::min({shape.batch, shape.heads_q, shape.len_q, shape.len_k}) > 0) return;
    throw Error(ErrorCode::kInvalidArgument, "leaves nothing to measure", "--shape " + sizes.text,
                "use sizes from 1");
}

// The plans of one config, each compiled once.
class Plans {
  public:
    Plans(const Config& config, const Device& device, const Options& options)
        : config_(config), device_(device), options_(options) {
        if (!device.is_host() && !config_.spec.target) {
            config_.spec.target = std::string(device.target_for(config_.spec).name);
        }
        plan_config(config_);  // throws where the target has none, naming the file
    }

    // All candidates, or the plan that prepare takes for the shape.
    std::vector<const Prepared*> for_shape(const Shape& shape) {
        const Target& target =
            find_target(config_.spec.target.value_or(std::string(kDefaultTarget)));
        if (options_.candidates)
            return compile(candidates(config_.spec, target), TuningMatch::kNone);
        if (options_.no_tuning)
            return compile({make_plan(config_.spec, target)}, TuningMatch::kNone);
        const ChosenPlan chosen = choose_plan(config_.spec, target, device_, shape, {});
        return compile({chosen.plan}, chosen.match);
    }

  private:
    // On every core.
    std::vector<const Prepared*> compile(const std::vector<Plan>& plans, TuningMatch match) {
        std::vector<Prepared*> prepared;
        std::vector<Prepared*> missing;
        for (const Plan& plan : plans) {
            const auto [place, is_new] = prepared_.try_emplace(plan_choices(plan));
            place->second.plan = plan;
            place->second.match = match;
            prepared.push_back(&place->second);
            if (is_new) missing.push_back(&place->second);
        }
        if (missing.size() > 1) {
            note(fmt::format("compiling {} plans of {}", missing.size(), config_.name));
        }
        PrepareOptions prepare_options;
        prepare_options.use_cache = !options_.no_cache;
        // The default plan is taken as prepare takes it; of others only what deserves to be timed.
        const bool is_default =
            !options_.candidates && match == TuningMatch::kNone && !chooses_tiles(config_.spec);
        prepare_options.allow_slow_code = options_.allow_slow_code || is_default;
        parallel_for(static_cast<int64_t>(missing.size()), [&](int64_t i) {
            prepare_one(*missing[i], prepare_options, /*keep_error=*/plans.size() > 1);
        });
        return {prepared.begin(), prepared.end()};
    }

    void prepare_one(Prepared& wanted, const PrepareOptions& prepare_options, bool keep_error) {
        try {
            wanted.kernel = prepare(wanted.plan, device_, prepare_options);
        } catch (const Error& error) {
            if (!keep_error) {
                throw Error(error.code(), error.message(), config_.file + ": " + error.where(),
                            error.fix());
            }
            wanted.error = error;
        }
    }

    Config config_;
    const Device& device_;
    const Options& options_;
    std::map<std::string, Prepared> prepared_;  // by choices; nodes stay where they are
};

// B,Hq,Hkv,Lq,Lk,D[,Dv]
std::string shape_text(const Json& shape) {
    const auto size = [&shape](const char* key) { return shape.at(key).get<int64_t>(); };
    std::string text =
        fmt::format("{},{},{},{},{},{}", size("batch"), size("heads_q"), size("heads_kv"),
                    size("len_q"), size("len_k"), size("head_dim"));
    if (size("head_dim_v") != size("head_dim")) text += fmt::format(",{}", size("head_dim_v"));
    return text;
}

void add_to_tables(TitledTables& tables, const Json& row) {
    constexpr double kPercent = 100;
    std::vector<std::string> cells = {row["plan"], shape_text(row["shape"])};
    if (row.contains("error")) {
        cells.push_back("failed: " + row["error"]["code"].get<std::string>());
        cells.resize(9, "-");
    } else {
        const Json& attention = row["attention"];
        const Json& whole = row["whole_call"];
        const Json& share = attention["share_of_peak"];
        const auto number = [](const Json& column, const char* key) {
            return fmt::format("{:.4g}", column[key].get<double>());
        };
        const double distance = attention["q3_ms"].get<double>() - attention["q1_ms"].get<double>();
        cells.push_back(number(attention, "median_ms"));
        cells.push_back(fmt::format(
            "{:.1f} %", kPercent * distance / 2 / attention["median_ms"].get<double>()));
        cells.push_back(number(attention, "tflops"));
        cells.push_back(share.is_null() ? "-"
                                        : fmt::format("{:.0f} %", kPercent * share.get<double>()));
        cells.push_back(number(whole, "median_ms"));
        cells.push_back(number(whole, "tflops"));
        cells.push_back(row.contains("rotate") ? row["rotate"].dump() : "-");
    }
    tables.add(row["config"], std::move(cells));
}

// One shape with every plan of a config, on the same operands.
void bench_shape(const Config& config, const std::vector<const Prepared*>& plans,
                 const Sizes& sizes, const Device& device, const Options& options,
                 GpuMonitor& monitor, const JsonLinesFile& file, Report& report) {
    const Spec& spec = config.spec;
    const Shape& shape = sizes.shape;
    size_t workspace = 0;
    for (const Prepared* each : plans) {
        workspace = std::max(workspace, make_workspace(each->plan, shape).bytes);
    }
    const auto memory =
        static_cast<size_t>(kMemoryShare * static_cast<double>(free_memory(device)));
    const int fitting =
        OperandSets::choose_count(spec, shape, workspace, cache_bytes(device), memory);
    const int rotate = options.rotate > 0 ? static_cast<int>(options.rotate) : fitting;
    const size_t largest = OperandSets::bytes_per_set(spec, shape);
    const RandomPool pool(device, spec.dtype, largest, options.seed);
    OperandSets operands(device, spec, shape, rotate, pool);
    const Stream stream(device);
    const TimingOptions timing = timing_options(options, device);
    for (const Prepared* each : plans) {
        const BenchSubject subject{config,
                                   each->plan,
                                   sizes,
                                   device,
                                   each->match,
                                   rotate,
                                   monitor.driver_version(),
                                   options.rest.value_or(0)};
        Json row;
        if (each->error) {
            row = error_row_json(subject, *each->error);
        } else {
            const BenchResult result =
                bench_kernel(*each->kernel, operands, shape, stream, monitor, timing);
            row = row_json(subject, *each->kernel, result);
            if (!result.outputs_finite) {
                report.finite = false;
                note(fmt::format("failed: {} {} on {} leaves outputs that are not finite",
                                 config.name, plan_summary(each->plan), sizes.text));
            }
        }
        file.append(row);
        add_to_tables(report.tables, row);
        report.rows.push_back(std::move(row));
    }
}

int finish(const Options& options, Report report) {
    if (!options.html.empty()) {
        write_text_file(options.html, bench_html(report.rows, {{"rows", report.rows}}));
        note(fmt::format("wrote {}", options.html));
    }
    if (options.json) {
        print_json({{"rows", std::move(report.rows)}});
    } else {
        print(report.tables.terminal_text(stdout_shows_colour()));
    }
    return report.finite ? kOk : kVerificationFailure;
}

// Measures nothing.
int show_rows(const Options& options) {
    if (!options.configs.empty() || !options.shapes.empty() || !options.jsonl.empty()) {
        throw UsageError("--from excludes --config, --shape and --jsonl",
                         "measure, or show what was measured");
    }
    if (!options.html.empty()) check_output(options.html, options.from);
    Report report;
    report.rows = read_bench_rows(options.from);
    for (const Json& row : report.rows) add_to_tables(report.tables, row);
    return finish(options, std::move(report));
}

int run_bench(const Options& options) {
    check_options(options);
    if (!options.from.empty()) return show_rows(options);
    if (options.configs.empty()) throw UsageError("--config is required", "or give --from");
    if (options.shapes.empty()) throw UsageError("--shape is required", "or give --from");
    // Everything is read and checked before anything takes long.
    const std::vector<Config> configs = read_configs(options.configs, options.target);
    std::vector<Sizes> all_sizes;
    for (const std::string& text : options.shapes) all_sizes.push_back(parse_sizes(text));
    for (const Sizes& sizes : all_sizes) {
        check_not_empty(sizes);
        for (const Config& config : configs) check_fit(config, sizes);
    }
    if (!options.html.empty()) check_output(options.html, options.configs);
    const Device device = choose_device(options.device);
    const JsonLinesFile file(options.jsonl);

    GpuMonitor monitor(device);
    if (!device.is_host() && !monitor.problem().empty()) {
        note("clocks and power are not read: " + monitor.problem());
    }
    Report report;
    for (const Config& config : configs) {
        Plans plans(config, device, options);
        for (const Sizes& sizes : all_sizes) {
            const std::vector<const Prepared*> wanted = plans.for_shape(sizes.shape);
            note(fmt::format("measuring {} on {}", config.name, sizes.text));
            bench_shape(config, wanted, sizes, device, options, monitor, file, report);
        }
    }
    return finish(options, std::move(report));
}

}  // namespace

void add_bench(CommandLine& line) {
    auto options = std::make_shared<Options>();
    Verb verb(line, "bench", "Measure how fast kernels are");
    verb.configs(options->configs, Presence::kOptional);
    verb.texts("-s,--shape", options->shapes, kShapePlaceholder,
               "Batch, query heads, KV heads, query tokens, key tokens, head_dim [, of V];\n"
               "several may be given: each config runs on each of them");
    verb.texts("--from", options->from, "FILE",
               "Measure nothing: show rows that --jsonl wrote; several may be given");
    verb.device(options->device);
    verb.target(options->target, run_target_fallback());
    verb.flag("--candidates", options->candidates, "Measure every legal plan of each config");
    verb.flag("--no-tuning", options->no_tuning,
              "Measure the generator's own plan, whatever sagejit tune found");
    verb.whole_number("--rotate", options->rotate, "N",
                      "Input sets to rotate among (default: enough to leave the L2 cache)");
    verb.number("--min-time", options->min_time, "SECONDS",
                "Time to spend on each column (default: 0.3)");
    verb.number("--rest", options->rest, "SECONDS",
                "Leave the GPU idle this long before each sample, of which at most 20 are\n"
                "taken: speed before its power limit lowers the clock");
    verb.whole_number("--iterations", options->iterations, "N",
                      "Take exactly this many samples instead");
    verb.whole_number("--seed", options->seed, "N", "Of the random inputs (default: 0)");
    verb.text("--jsonl", options->jsonl, "FILE", "Append each row to this file, as it is measured");
    verb.text("--html", options->html, "FILE", "Write a report with pictures to this file");
    verb.no_cache(options->no_cache);
    verb.allow_slow_code(options->allow_slow_code);
    verb.json(options->json);
    verb.footer(
        "attn: the attention kernel alone, operands quantized before, and half its quartile\n"
        "distance as spread. call: all kernels, from fp16 or bf16 tensors. Medians;\n"
        "docs/benchmarks/README.md has the method.\n\n"
        "Examples:\n"
        "  sagejit bench --config configs/thread-d128.json --shape 4,32,32,4096,4096,128 \\\n"
        "      --device cuda:0\n"
        "  sagejit bench --config configs/thread-d64.json --shape 1,2,2,256,256,64 \\\n"
        "      --device host --iterations 3");
    verb.action([options] { return run_bench(*options); });
}

}  // namespace sagejit::cli
