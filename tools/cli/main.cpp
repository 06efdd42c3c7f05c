// sagejit: the command line. One file per verb; this one parses and turns failures into exit codes.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <new>

#include "output.h"
#include "sagejit/generator/source.h"
#include "tune_worker.h"
#include "verbs.h"

namespace sagejit::cli {
namespace {

constexpr std::string_view kExitCodes =
    "Exit codes: 0 ok, 2 usage, 3 bad config or input, 4 compile failure, 5 no usable device,\n"
    "driver, NVRTC or host compiler, 6 verification failed, 70 a bug in sagejit.\n\n"
    "Example:\n"
    "  sagejit verify --config configs/thread-d64-causal.json \\\n"
    "      --input tests/data/smollm2/layer00.safetensors";

// Whether errors are wanted as JSON, also those of parsing the command line.
bool wants_json(int argc, char** argv) {
    return std::any_of(argv + 1, argv + argc,
                       [](std::string_view argument) { return argument == "--json"; });
}

ExitCode report_usage(std::string_view message, std::string_view fix, bool json) {
    return report_error(kUsage, "usage", message, "", fix, json);
}

// The chosen verb's help, or that of all.
std::string help_hint(const CLI::App& app) {
    const std::vector<CLI::App*> verbs = app.get_subcommands();
    return fmt::format("see sagejit {}--help",
                       verbs.empty() ? "" : verbs.front()->get_name() + " ");
}

int parse_and_run(int argc, char** argv, bool json) {
    CLI::App app("sagejit: quantized attention kernels, from a JSON config to a result", "sagejit");
    app.set_version_flag("--version", fmt::format("sagejit {}", generator_version()));
    app.require_subcommand(0, 1);
    app.footer(std::string(kExitCodes));
    CommandLine line{app, {}, {}};
    add_emit(line);
    add_plan(line);
    add_compile(line);
    add_build(line);
    add_bundle(line);
    add_make_input(line);
    add_run(line);
    add_verify(line);
    add_bench(line);
    add_tune(line);
    add_cache(line);
    add_doctor(line);
    add_calibrate(line);
    add_inspect(line);
    add_completion(line);
    add_man(line);
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForVersion& version) {
        print(fmt::format("{}\n", version.what()));
        return kOk;
    } catch (const CLI::CallForHelp&) {
        print(app.help());  // the chosen verb's where there is one
        return kOk;
    } catch (const CLI::ParseError& error) {
        return report_usage(error.what(), help_hint(app), json);
    }
    if (!line.action) {
        if (!json) note("no verb given\n\n" + app.help());
        return json ? report_usage("no verb given", help_hint(app), json) : kUsage;
    }
    return line.action();
}

// A process that tuning started, not a person's command.
bool is_tune_worker(int argc, char** argv) {
    return argc == 2 && std::string_view(argv[1]) == kTuneWorkerVerb;
}

int run(int argc, char** argv) {
    secure_standard_streams();
    const bool json = wants_json(argc, argv);
    try {
        if (is_tune_worker(argc, argv)) return run_tune_worker();
        return parse_and_run(argc, argv, json);
    } catch (const Error& error) {
        return report_error(error, json);
    } catch (const UsageError& error) {
        return report_usage(error.what(), error.fix(), json);
    } catch (const std::bad_alloc&) {
        return report_error(Error(ErrorCode::kInvalidArgument, "not enough memory", "",
                                  "use smaller tensors, or a machine with more memory"),
                            json);
    } catch (const std::exception& error) {
        return report_error(Error(ErrorCode::kInternal, error.what(), "",
                                  "this is a bug in sagejit; please report it"),
                            json);
    }
}

}  // namespace
}  // namespace sagejit::cli

int main(int argc, char** argv) { return sagejit::cli::run(argc, argv); }
