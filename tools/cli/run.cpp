// sagejit run: attention on the tensors of a file.
#include <fmt/format.h>

#include <memory>

#include "attention_call.h"
#include "attention_input.h"
#include "config_file.h"
#include "output_path.h"
#include "sagejit/generator/source.h"
#include "stopwatch.h"
#include "tensor/safetensors.h"
#include "verbs.h"

namespace sagejit::cli {
namespace {

struct Options {
    std::string config, target, input, output, device, policy = "jit";
    std::vector<std::string> bundles;
    std::optional<double> logit_scale;
    bool no_cache = false, json = false;
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

int run_run(const Options& options) {
    Stopwatch stopwatch;
    Timings ms;
    const Config config = read_config(options.config, options.target);
    check_output(options.output, {options.input, options.config});
    const InputFile input = read_input(options.input);
    check_input(input, config);
    ms.read = stopwatch.lap();

    const Device device = choose_device(options.device);
    const float logit_scale = logit_scale_or_default(options.logit_scale, config.spec);
    PrepareOptions prepare_options;
    prepare_options.use_cache = !options.no_cache;
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
    verb.config(options->config);
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
    verb.json(options->json);
    verb.footer(
        "Example:\n"
        "  sagejit run --config configs/thread-d64-causal.json \\\n"
        "      --input tests/data/smollm2/layer00.safetensors --output o.safetensors");
    verb.action([options] { return run_run(*options); });
}

}  // namespace sagejit::cli
