// sagejit emit: the CUDA source of a config, or the same kernels for the host device.
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <memory>

#include "config_file.h"
#include "output_path.h"
#include "sagejit/generator/source.h"
#include "verbs.h"

namespace sagejit::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
    std::vector<std::string> configs;
    std::string target, output;
    bool host = false, json = false;
};

struct Emitted {
    Config config;
    Plan plan;
    Source source;
    std::string file;  // empty: stdout
};

bool to_stdout(const Options& options) { return options.output.empty() || options.output == "-"; }

// "<config name>-<target>.cu", without characters that would leave the directory or need quoting.
std::string file_name(const Emitted& emitted, bool host) {
    std::string name = emitted.config.name;
    for (char& c : name) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
        if (!plain) c = '_';
    }
    if (name.empty() || name.front() == '.' || name.front() == '-') name.insert(0, "_");
    return fmt::format("{}-{}{}", name, emitted.plan.target.name, host ? "-host.cpp" : ".cu");
}

void choose_files(std::vector<Emitted>& all, const Options& options) {
    if (to_stdout(options)) return;
    if (!names_directory(options.output)) {
        check_output(options.output, options.configs);
        all.front().file = options.output;
        return;
    }
    std::map<std::string, std::string> owners;
    for (Emitted& emitted : all) {
        emitted.file = (fs::path(options.output) / file_name(emitted, options.host)).string();
        const auto [owner, is_new] = owners.emplace(emitted.file, emitted.config.file);
        if (!is_new) {
            throw Error(ErrorCode::kInvalidArgument,
                        fmt::format("{} and {} would both be written to it", owner->second,
                                    emitted.config.file),
                        emitted.file, "give the configs different names");
        }
    }
}

int run_emit(const Options& options) {
    const bool directory = !to_stdout(options) && names_directory(options.output);
    if (options.configs.size() > 1 && !directory) {
        throw UsageError("several configs need a directory to write to", "add --output DIR/");
    }
    std::vector<Emitted> all;
    for (const Config& config : read_configs(options.configs, options.target)) {
        const Plan plan = plan_config(config);
        all.push_back({config, plan, emit(plan), {}});
    }
    choose_files(all, options);
    if (directory) make_directory(options.output);

    Json sources = Json::array();
    for (const Emitted& emitted : all) {
        const std::string& text = options.host ? emitted.source.host_text : emitted.source.text;
        Json entry = {{"config", emitted.config.name},
                      {"target", emitted.plan.target.name},
                      {"hash", emitted.source.hash},
                      {"entries", emitted.source.entries}};
        if (!emitted.file.empty()) {
            write_text_file(emitted.file, text);
            note(fmt::format("wrote {}", emitted.file));
            entry["file"] = emitted.file;
        } else if (options.json) {
            entry["text"] = text;
        } else {
            print(text);
        }
        sources.push_back(std::move(entry));
    }
    if (options.json) print_json({{"sources", std::move(sources)}});
    return kOk;
}

}  // namespace

void add_emit(CommandLine& line) {
    auto options = std::make_shared<Options>();
    Verb verb(line, "emit", "Write the CUDA source of a config's kernels");
    verb.configs(options->configs);
    verb.target(options->target, std::string(kDefaultTarget));
    verb.text("-o,--output", options->output, "FILE|DIR",
              "File to write, or a directory (one that exists, or with a / at its end) that gets\n"
              "NAME-ARCH.cu for each config (default: stdout)");
    verb.flag("--host", options->host, "Write the C++ source that the host device compiles");
    verb.json(options->json);
    verb.footer(
        "Needs neither CUDA nor a GPU.\n\nExamples:\n"
        "  sagejit emit --config configs/thread-d64.json --target sm_89 -o kernel.cu\n"
        "  sagejit emit --config configs/thread-d64.json configs/sage-b-d64.json -o sources/");
    verb.action([options] { return run_emit(*options); });
}

}  // namespace sagejit::cli
