// sagejit calibrate: which attention each layer of a model stands.
#include <fmt/format.h>

#include <memory>
#include <set>

#include "calibration.h"
#include "output_path.h"
#include "table.h"
#include "tensor/parallel.h"
#include "verbs.h"

namespace sagejit::cli {
namespace {

struct Options {
    std::string config, target, device, output, html;
    std::vector<std::string> inputs;
    std::optional<double> threshold, logit_scale;
    bool worst_head = false, no_cache = false, json = false;
};

std::vector<InputFile> read_all(const Options& options, const Config& config) {
    std::vector<InputFile> layers;
    std::set<std::string> names;
    for (const std::string& file : options.inputs) {
        for (InputFile& layer : read_layers(file)) {
            check_input(layer, config);
            const Shape& shape = layer.shape;
            if (shape.batch == 0 || shape.heads_q == 0 || shape.len_q == 0 || shape.len_k == 0) {
                throw Error(ErrorCode::kInvalidInput, "holds nothing to measure",
                            fmt::format("{}: {}", file, layer.name), "use sizes from 1");
            }
            if (!names.insert(layer.name).second) {
                throw Error(ErrorCode::kInvalidInput,
                            fmt::format("the layer {} appears more than once", layer.name), file,
                            "give layers different names");
            }
            layers.push_back(std::move(layer));
        }
    }
    return layers;
}

Calibration prepare_all(const Options& options, Config base, const Device& device) {
    if (!device.is_host() && !base.spec.target) {
        base.spec.target = std::string(device.target().name);
    }
    Calibration calibration;
    calibration.list = accuracy_classes(base, plan_config(base).target);
    calibration.options.threshold = options.threshold.value_or(calibration.options.threshold);
    calibration.options.worst_head = options.worst_head;
    calibration.options.logit_scale = options.logit_scale;
    calibration.measured = !device.is_host();
    PrepareOptions prepare_options;
    prepare_options.use_cache = !options.no_cache;
    std::vector<AccuracyClass> classes = std::move(calibration.list.classes);
    note(fmt::format("preparing {} classes", classes.size()));
    std::vector<std::optional<Kernel>> kernels(classes.size());
    std::vector<std::string> refused(classes.size());
    parallel_for(static_cast<int64_t>(classes.size()), [&](int64_t i) {
        try {
            kernels[i] = prepare_config(classes[i].config, device, prepare_options);
        } catch (const Error& error) {
            // The base's tiles may be too much for another class: ptxas tells.
            if (i == 0 || error.code() != ErrorCode::kUnsupportedTarget) throw;
            refused[i] = error.message();
        }
    });
    calibration.list.classes.clear();
    for (size_t i = 0; i < classes.size(); ++i) {
        if (kernels[i]) {
            calibration.kernels.push_back(*kernels[i]);
            calibration.list.classes.push_back(std::move(classes[i]));
        } else {
            calibration.list.skipped.push_back({classes[i].name, refused[i]});
        }
    }
    return calibration;
}

std::string report_text(const Calibration& calibration) {
    Table table(
        {"layer", "class", "cosine", "worst head", "rel_l1", "ms", "times faster", "passed"});
    for (const LayerResult& layer : calibration.layers) {
        const ClassResult& result = layer.classes[layer.chosen];
        table.add(
            {layer.layer, calibration.list.classes[layer.chosen].name,
             fmt::format("{:.6f}", result.o.cosine),
             fmt::format("{:.6f}", result.worst_head_cosine),
             fmt::format("{:.3g}", result.o.rel_l1), fmt::format("{:.4g}", result.milliseconds),
             fmt::format("{:.3f}", calibration.gain(layer)), layer.passed ? "yes" : "no"},
            layer.passed ? Tone::kGood : Tone::kBad);
    }
    std::string text = table.terminal_text(stdout_shows_colour());
    text += fmt::format("\n{} classes tried; times are {}{}\n", calibration.kernels.size(),
                        calibration.measured ? "measured on " : "estimated for ",
                        calibration.measured
                            ? calibration.kernels.front().device().name()
                            : std::string(calibration.kernels.front().plan().target.name));
    return text;
}

int run_calibrate(const Options& options) {
    if (options.threshold && !(*options.threshold > 0 && *options.threshold < 1)) {
        throw UsageError("--threshold is a cosine between 0 and 1", "e.g. --threshold 0.998");
    }
    const Config base = read_config(options.config, options.target);
    std::vector<std::string> read = options.inputs;
    read.push_back(options.config);
    for (const std::string& output : {options.output, options.html}) {
        if (!output.empty()) check_output(output, read);
    }
    if (!options.output.empty() && options.output == options.html) {
        throw UsageError("--output and --html name the same file");
    }
    const std::vector<InputFile> inputs = read_all(options, base);
    Calibration calibration = prepare_all(options, base, choose_device(options.device));
    for (const InputFile& input : inputs) {
        note(fmt::format("calibrating {} ({} of {})", input.name, calibration.layers.size() + 1,
                         inputs.size()));
        calibration.layers.push_back(calibrate_layer(calibration, input));
        const LayerResult& layer = calibration.layers.back();
        if (!layer.passed) {
            note(fmt::format("failed: no class reaches {} on {}; the most accurate one is taken",
                             calibration.options.threshold, layer.layer));
        }
    }
    const Json data = calibration_json(calibration);
    if (!options.output.empty()) {
        write_text_file(options.output, layer_plan_text(calibration));
        note(fmt::format("wrote {}", options.output));
    }
    if (!options.html.empty()) {
        write_text_file(options.html, calibration_html(calibration, data));
        note(fmt::format("wrote {}", options.html));
    }
    if (options.json) {
        print_json(data);
    } else {
        print(report_text(calibration));
    }
    return calibration.passed() ? kOk : kVerificationFailure;
}

}  // namespace

void add_calibrate(CommandLine& line) {
    auto options = std::make_shared<Options>();
    Verb verb(line, "calibrate", "Choose the fastest attention each captured layer stands");
    verb.config(options->config);
    verb.texts(
        "-i,--input", options->inputs, "FILE",
        "Captured layers: safetensors files with q, k, v, or with LAYER.q, LAYER.k, LAYER.v\n"
        "of several layers",
        Presence::kRequired);
    verb.hint("--input", {{}, ".safetensors"});
    verb.text("-o,--output", options->output, "FILE",
              "Write the layer plan, which run --layers takes, to this file");
    verb.text("--html", options->html, "FILE", "Write a report with pictures to this file");
    verb.number("--threshold", options->threshold, "X",
                "Least cosine with fp64 attention (default: 0.998)");
    verb.flag("--worst-head", options->worst_head, "Judge each layer by its worst head");
    verb.device(options->device);
    verb.target(options->target, run_target_fallback());
    verb.logit_scale(options->logit_scale);
    verb.no_cache(options->no_cache);
    verb.json(options->json);
    verb.footer(
        "Tries scales per thread, token and block, K smoothed or not, and every P*V, on each "
        "layer;\n"
        "the config gives the rest. Times are measured on a GPU, estimated on the host device.\n"
        "Exit code 6 where a layer has no class above the threshold.\n\nExamples:\n"
        "  sagejit make-input --distribution normal --shape 1,2,2,128,128,64 -o drawn.safetensors\n"
        "  sagejit calibrate --config configs/thread-d64.json --input drawn.safetensors\n"
        "  sagejit calibrate --config configs/thread-d64-causal.json \\\n"
        "      --input tests/data/smollm2/layer*.safetensors -o layers.json --html layers.html");
    verb.action([options] { return run_calibrate(*options); });
}

}  // namespace sagejit::cli
