// sagejit compile: NVRTC, and what it made of each entry.
#include <fmt/format.h>

#include <array>
#include <memory>
#include <span>

#include "config_file.h"
#include "obtain_cubin.h"
#include "output_path.h"
#include "sagejit/generator/source.h"
#include "sagejit/generator/workspace.h"
#include "table.h"
#include "tensor/atomic_file.h"
#include "verbs.h"

namespace sagejit::cli {
namespace {

struct Options {
    std::string config, target, output;
    bool no_cache = false, json = false;
};

// Dynamic shared memory of an entry, bytes per CTA. It does not depend on the call's sizes.
int dynamic_shared_bytes(const Plan& plan, std::string_view entry) {
    constexpr Shape kAnyShape = {1, 1, 1, 1, 1};
    for (const LaunchStep& step : launch_steps(plan, kAnyShape)) {
        if (step.entry == entry) return step.shared_bytes;
    }
    return 0;
}

const CubinEntry& entry_of(const CompiledCubin& cubin, std::string_view symbol) {
    for (const CubinEntry& entry : cubin.entries) {
        if (entry.symbol == symbol) return entry;
    }
    throw Error(ErrorCode::kInternal, fmt::format("the cubin lacks the entry {}", symbol), "cubin");
}

void report_json(const Config& config, const Plan& plan, const Source& source,
                 const ObtainedCubin& obtained, const std::string& output) {
    Json entries = Json::array();
    for (const std::string& symbol : source.entries) {
        const CubinEntry& entry = entry_of(*obtained.cubin, symbol);
        entries.push_back({{"entry", symbol},
                           {"registers", entry.registers},
                           {"stack_bytes", entry.stack_bytes},
                           {"spill_store_bytes", entry.spill_store_bytes},
                           {"spill_load_bytes", entry.spill_load_bytes},
                           {"static_shared_bytes", entry.static_shared_bytes},
                           {"dynamic_shared_bytes", dynamic_shared_bytes(plan, symbol)}});
    }
    Json fields = {{"config", config.name},
                   {"target", plan.target.name},
                   {"hash", source.hash},
                   {"from_cache", obtained.from_cache},
                   {"compile_ms", obtained.compile_ms},
                   {"cubin_bytes", obtained.cubin->bytes.size()},
                   {"warnings", obtained.cubin->warnings},
                   {"entries", std::move(entries)}};
    if (!output.empty()) fields["file"] = output;
    print_json(fields);
}

void report_text(const Config& config, const Plan& plan, const Source& source,
                 const ObtainedCubin& obtained) {
    Table table({"entry", "registers", "spill bytes", "stack bytes", "shared bytes"});
    for (const std::string& symbol : source.entries) {
        const CubinEntry& entry = entry_of(*obtained.cubin, symbol);
        const int shared = entry.static_shared_bytes + dynamic_shared_bytes(plan, symbol);
        table.add({symbol, fmt::to_string(entry.registers),
                   fmt::to_string(entry.spill_store_bytes + entry.spill_load_bytes),
                   fmt::to_string(entry.stack_bytes), fmt::to_string(shared)});
    }
    const std::string origin = obtained.from_cache
                                   ? "from the cache"
                                   : fmt::format("compiled in {:.0f} ms", obtained.compile_ms);
    print(printable(fmt::format("{} for {}: {} bytes, {}\n{}", config.name, plan.target.name,
                                obtained.cubin->bytes.size(), origin, table.text())));
    if (!obtained.cubin->warnings.empty()) note("warnings:\n" + obtained.cubin->warnings);
}

int run_compile(const Options& options) {
    const Config config = read_config(options.config, options.target);
    if (!config.spec.target) {
        throw UsageError("no target: neither --target nor the config names one",
                         "add e.g. --target sm_89");
    }
    if (!options.output.empty()) check_output(options.output, {options.config});
    const Plan plan = plan_config(config);
    const Source source = emit(plan);
    PrepareOptions prepare_options;
    prepare_options.use_cache = !options.no_cache;
    const ObtainedCubin obtained = obtain_cubin(source.text, generator_version(), plan.target.name,
                                                config.name, prepare_options);
    if (!options.output.empty()) {
        const auto bytes = std::as_bytes(std::span(obtained.cubin->bytes));
        write_file_atomically(options.output, std::array{bytes});
        note(fmt::format("wrote {}", options.output));
    }
    if (options.json) {
        report_json(config, plan, source, obtained, options.output);
    } else {
        report_text(config, plan, source, obtained);
    }
    return kOk;
}

}  // namespace

void add_compile(CommandLine& line) {
    auto options = std::make_shared<Options>();
    Verb verb(line, "compile", "Compile a config's kernels with NVRTC");
    verb.config(options->config);
    verb.target(options->target, "an error");
    verb.text("-o,--output", options->output, "FILE", "Write the cubin to this file");
    verb.no_cache(options->no_cache);
    verb.json(options->json);
    verb.footer(
        "Needs NVRTC, but no GPU.\n\nExample:\n"
        "  sagejit compile --config configs/thread-d64.json --target sm_89");
    verb.action([options] { return run_compile(*options); });
}

}  // namespace sagejit::cli
