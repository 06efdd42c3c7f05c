// sagejit run: attention on the tensors of a file.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "attention_call.h"
#include "attention_input.h"
#include "bench_row.h"
#include "config_file.h"
#include "output_path.h"
#include "sagejit/generator/layers.h"
#include "sagejit/generator/source.h"
#include "sagejit/generator/target.h"
#include "stopwatch.h"
#include "tensor/safetensors.h"
#include "verbs.h"

namespace sagejit::cli {
namespace {

struct Options {
    std::string config, layers, layer, target, input, output, device, policy = "jit";
    std::vector<std::string> bundles;
    std::optional<double> logit_scale;
    bool no_cache = false, allow_slow_code = false, json = false;
};

// o and, where the spec asks for it, lse; in the file's metadata, what made them.
void write_output(const std::string& file, const Config& config, const Kernel& kernel,
                  const InputFile& input, float logit_scale, const AttentionOutput& output) {
    std::vector<StoredTensor> tensors = {to_stored_tensor("o", output.o)};
    if (config.spec.lse) {
        const Shape& shape = input.shape;
        const auto bytes = std::as_bytes(std::span(output.lse));
        tensors.push_back({"lse",
                           StoredType::kF32,
                           {shape.batch, shape.heads_q, shape.len_q},
                           AlignedBytes(bytes.begin(), bytes.end())});
    }
    write_safetensors(file, tensors,
                      {{"sagejit", std::string(generator_version())},
                       {"config", to_json(config.spec, -1)},
                       {"target", std::string(kernel.plan().target.name)},
                       {"logit_scale", fmt::format("{}", logit_scale)}});
}

struct Timings {
    double read = 0, compile = 0, load = 0, upload = 0, attention = 0, download = 0, write = 0;
};

Json timings_json(const Timings& ms) {
    return {{"read", ms.read},     {"compile", ms.compile},     {"load", ms.load},
            {"upload", ms.upload}, {"attention", ms.attention}, {"download", ms.download},
            {"write", ms.write}};
}

Json outputs_json(const Config& config, const InputFile& input) {
    const Shape& shape = input.shape;
    Json outputs = {{"o",
                     {{"dtype", to_string(config.spec.output_dtype)},
                      {"shape", {shape.batch, shape.heads_q, shape.len_q, input.v.shape[3]}}}}};
    if (config.spec.lse) {
        outputs["lse"] = {{"dtype", "fp32"}, {"shape", {shape.batch, shape.heads_q, shape.len_q}}};
    }
    return outputs;
}

std::string report_text(const Kernel& kernel, const InputFile& input, const Timings& ms) {
    const Device& device = kernel.device();
    std::string text = fmt::format("device        {} ({})\n", device.text(), device.name());
    text += fmt::format("target        {}\n", kernel.plan().target.name);
    text += fmt::format("shape         {}\n", shape_text(input));
    const PrepareReport& report = kernel.report();
    text += fmt::format("kernels       {}\n", !report.bundle.empty() ? "from " + report.bundle
                                              : report.from_cache    ? "from the cache"
                                                                     : "compiled");
    const auto line = [&text](const char* stage, double milliseconds) {
        text += fmt::format("{:<14}{:.3f} ms\n", stage, milliseconds);
    };
    line("read", ms.read);
    line("compile", ms.compile);
    line("load", ms.load);
    line("upload", ms.upload);
    line("attention", ms.attention);
    line("download", ms.download);
    line("write", ms.write);
    return text;
}

PreparePolicy policy_of(const std::string& text) {
    for (const PreparePolicy policy : {PreparePolicy::kCacheOnly, PreparePolicy::kBundleOnly}) {
        if (text == to_string(policy)) return policy;
    }
    return PreparePolicy::kJit;  // the only other word that is accepted
}

// The input's layer that is asked for, or its only one.
InputFile choose_layer(const Options& options) {
    std::vector<InputFile> layers = read_layers(options.input);
    std::string names;
    for (InputFile& layer : layers) {
        if (layer.name == options.layer) return std::move(layer);
        names += (names.empty() ? "" : ", ") + layer.name;
    }
    // A file of one layer, whose tensors have no prefix, may be any layer of the plan.
    const bool named_by_file =
        layers.size() == 1 &&
        layers.front().name == std::filesystem::path(options.input).stem().string();
    if (named_by_file || (layers.size() == 1 && options.layer.empty())) {
        if (!options.layer.empty()) layers.front().name = options.layer;
        return std::move(layers.front());
    }
    throw Error(ErrorCode::kInvalidInput,
                options.layer.empty() ? "holds several layers: " + names
                                      : fmt::format("holds no layer {}: {}", options.layer, names),
                options.input, "name one by --layer");
}

// The config of a layer of a plan.
Config layer_config(const Options& options, const std::string& layer) {
    const LayerPlan plan = parse_layer_plan(read_small_text(options.layers), options.layers);
    Config config{options.layers, layer, {}};
    try {
        config.spec = plan.at(layer);
    } catch (const Error& error) {
        throw Error(error.code(), error.message(), options.layers,
                    error.fix() + "; choose one by --layer");
    }
    if (!options.target.empty()) config.spec.target = find_target(options.target).name;
    return config;
}

void check_options(const Options& options) {
    if (options.config.empty() && options.layers.empty()) {
        throw UsageError("--config is required", "or --layers, with a layer plan");
    }
    if (!options.config.empty() && !options.layers.empty()) {
        throw UsageError("--config and --layers exclude each other", "choose one");
    }
    if (!options.layer.empty() && options.layers.empty()) {
        throw UsageError("--layer is for --layers");
    }
}

int run_run(const Options& options) {
    check_options(options);
    Stopwatch stopwatch;
    Timings ms;
    const bool planned = !options.layers.empty();
    check_output(options.output, {options.input, planned ? options.layers : options.config});
    Config config;
    if (!planned) config = read_config(options.config, options.target);
    const InputFile input = planned ? choose_layer(options) : read_input(options.input);
    if (planned) config = layer_config(options, input.name);
    check_input(input, config);
    ms.read = stopwatch.lap();

    const Device device = choose_device(options.device);
    const float logit_scale = logit_scale_or_default(options.logit_scale, config.spec);
    PrepareOptions prepare_options;
    prepare_options.use_cache = !options.no_cache;
    prepare_options.allow_slow_code = options.allow_slow_code;
    prepare_options.shape = input.shape;
    prepare_options.policy = policy_of(options.policy);
    if (device.is_host() && !options.bundles.empty()) {
        throw Error(ErrorCode::kInvalidArgument, "bundles hold code for GPUs", "--bundle",
                    "choose a GPU by --device, or leave the bundle out");
    }
    for (const std::string& file : options.bundles) {
        prepare_options.bundles.push_back(Bundle::open(file));
    }
    const Kernel kernel = prepare_config(config, device, prepare_options);
    ms.compile = kernel.report().compile_ms;
    ms.load = kernel.report().load_ms;
    const AttentionOutput output = call_attention(kernel, input, logit_scale);
    ms.upload = output.upload_ms;
    ms.attention = output.attention_ms;
    ms.download = output.download_ms;
    stopwatch.lap();
    write_output(options.output, config, kernel, input, logit_scale, output);
    ms.write = stopwatch.lap();

    note(fmt::format("wrote {}", options.output));
    if (!options.json) {
        print(report_text(kernel, input, ms));
        return kOk;
    }
    Json fields = {{"config", config.name}, {"input", options.input}, {"file", options.output}};
    fields.update(device_json(kernel));
    fields.update({{"shape", shape_json(input)},
                   {"logit_scale", logit_scale},
                   {"outputs", outputs_json(config, input)},
                   {"plan", plan_summary(kernel.plan())},
                   {"tuning", to_string(kernel.report().tuning)},
                   {"from_cache", kernel.report().from_cache},
                   {"bundle", kernel.report().bundle},
                   {"milliseconds", timings_json(ms)}});
    print_json(fields);
    return kOk;
}

}  // namespace

void add_run(CommandLine& line) {
    auto options = std::make_shared<Options>();
    Verb verb(line, "run", "Run attention on q, k, v of a safetensors file");
    verb.text("-c,--config", options->config, "FILE", "JSON config of the kernel");
    verb.hint("--config", {{}, ".json"});
    verb.text("--layers", options->layers, "FILE",
              "Layer plan of sagejit calibrate, instead of --config: the layer's config is taken");
    verb.hint("--layers", {{}, ".json"});
    verb.text("--layer", options->layer, "NAME",
              "The layer, of the plan and of an input file with LAYER.q, LAYER.k, LAYER.v of\n"
              "several (default: the input's only one, named like the file)");
    verb.input(options->input);
    verb.text("-o,--output", options->output, "FILE",
              "safetensors file to write: o [B,Hq,Lq,Dv] and, if the config asks for it,\n"
              "lse [B,Hq,Lq]; not the input file",
              Presence::kRequired);
    verb.device(options->device);
    verb.target(options->target, run_target_fallback());
    verb.logit_scale(options->logit_scale);
    verb.texts("--bundle", options->bundles, "FILE",
               "Look for the kernel in this bundle first; several may be given; GPUs only");
    verb.hint("--bundle", {{}, ".sjb"});
    verb.choice("--policy", options->policy, "POLICY", {"jit", "cache_only", "bundle_only"},
                "Where the kernel may come from (default jit: from anywhere, compiled if need be)");
    verb.no_cache(options->no_cache);
    verb.allow_slow_code(options->allow_slow_code);
    verb.json(options->json);
    verb.footer(
        "Example:\n"
        "  sagejit run --config configs/thread-d64-causal.json \\\n"
        "      --input tests/data/smollm2/layer00.safetensors --output o.safetensors");
    verb.action([options] { return run_run(*options); });
}

}  // namespace sagejit::cli
