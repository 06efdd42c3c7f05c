// sagejit verify: accuracy of kernels against fp64 attention, as a table or as JSON.
#include <fmt/format.h>

#include <memory>

#include "accuracy.h"
#include "attention_call.h"
#include "attention_input.h"
#include "config_file.h"
#include "table.h"
#include "verbs.h"

namespace sagejit::cli {
namespace {

struct Options {
    std::vector<std::string> configs, inputs;
    std::string target, device;
    std::optional<double> logit_scale, max_rel_l1;
    bool no_cache = false, allow_slow_code = false, json = false, markdown = false;
};

struct Row {
    const Config* config;
    const InputFile* input;
    Kernel kernel;
    float logit_scale;
    Verdict verdict;
};

Row verify_one(const Config& config, const InputFile& input, References& references,
               const Kernel& kernel, float logit_scale, const Options& options) {
    const AttentionOutput output = call_attention(kernel, input, logit_scale);
    return {&config, &input, kernel, logit_scale,
            judge(kernel, references, output, options.max_rel_l1)};
}

Json row_json(const Row& row) {
    const Verdict& verdict = row.verdict;
    Json fields = {{"config", row.config->name}, {"input", row.input->file}};
    fields.update(device_json(row.kernel));
    fields.update({{"shape", shape_json(*row.input)}, {"logit_scale", row.logit_scale}});
    fields.update(accuracy_json(verdict.measured));
    fields["predicted"] = accuracy_json(verdict.predicted);
    fields["limits"] = {{"rel_l1", verdict.rel_l1_limit}};
    if (verdict.measured.lse) fields["limits"]["lse_max_abs"] = verdict.lse_limit;
    fields["passed"] = verdict.passed();
    fields["failures"] = verdict.failures;
    return fields;
}

std::string number(double value) { return fmt::format("{:.3g}", value); }

Table make_table(const std::vector<Row>& rows) {
    Table table({"config", "input", "cosine", "rel_l1", "rmse", "max_abs", "predicted rel_l1",
                 "lse_max_abs", "passed"});
    for (const Row& row : rows) {
        const Metrics& measured = row.verdict.measured.o;
        const std::optional<LseMetrics>& lse = row.verdict.measured.lse;
        table.add({row.config->name, row.input->name, fmt::format("{:.6f}", measured.cosine),
                   number(measured.rel_l1), number(measured.rmse), number(measured.max_abs),
                   number(row.verdict.predicted.o.rel_l1), lse ? number(lse->max_abs) : "-",
                   row.verdict.passed() ? "yes" : "no"});
    }
    return table;
}

int run_verify(const Options& options) {
    if (options.json && options.markdown) {
        throw UsageError("--json and --markdown exclude each other", "choose one");
    }
    // Everything is read and checked before anything takes long.
    const std::vector<Config> configs = read_configs(options.configs, options.target);
    std::vector<InputFile> inputs;
    for (const std::string& file : options.inputs) inputs.push_back(read_input(file));
    for (const Config& config : configs) {
        for (const InputFile& input : inputs) check_input(input, config);
    }

    const Device device = choose_device(options.device);
    std::vector<Kernel> kernels;
    PrepareOptions prepare_options;
    prepare_options.use_cache = !options.no_cache;
    prepare_options.allow_slow_code = options.allow_slow_code;
    for (const Config& config : configs) {
        kernels.push_back(prepare_config(config, device, prepare_options));
    }

    const size_t total = configs.size() * inputs.size();
    std::vector<Row> rows;
    for (const InputFile& input : inputs) {
        std::optional<References> references;
        for (size_t i = 0; i < configs.size(); ++i) {
            if (total > 1) {
                note(fmt::format("verifying {} on {} ({} of {})", configs[i].name, input.name,
                                 rows.size() + 1, total));
            }
            const float logit_scale = logit_scale_or_default(options.logit_scale, configs[i].spec);
            if (!references) references.emplace(input, logit_scale);
            rows.push_back(
                verify_one(configs[i], input, *references, kernels[i], logit_scale, options));
        }
    }

    bool passed = true;
    Json results = Json::array();
    for (const Row& row : rows) {
        passed = passed && row.verdict.passed();
        for (const std::string& failure : row.verdict.failures) {
            note(fmt::format("failed: {} on {}: {}", row.config->name, row.input->name, failure));
        }
        if (options.json) results.push_back(row_json(row));
    }
    if (options.json) {
        print_json({{"passed", passed}, {"results", std::move(results)}});
    } else {
        const Table table = make_table(rows);
        print(printable(options.markdown ? table.markdown() : table.text()));
    }
    return passed ? kOk : kVerificationFailure;
}

}  // namespace

void add_verify(CommandLine& line) {
    auto options = std::make_shared<Options>();
    Verb verb(line, "verify", "Compare kernels with fp64 attention");
    verb.configs(options->configs);
    verb.inputs(options->inputs);
    verb.device(options->device);
    verb.target(options->target, run_target_fallback());
    verb.logit_scale(options->logit_scale);
    verb.number("--max-rel-l1", options->max_rel_l1, "X", "Also fail where rel_l1 is above this");
    verb.no_cache(options->no_cache);
    verb.allow_slow_code(options->allow_slow_code);
    verb.flag("--markdown", options->markdown, "Print the table as Markdown");
    verb.json(options->json);
    verb.footer(
        "Passed: rel_l1 within 5 % of what an fp64 model of the quantized algorithm predicts\n"
        "(docs/reference/command-line.md has the exact rule). Exit code 6 when not.\n\nExamples:\n"
        "  sagejit verify --config configs/thread-d64-causal.json \\\n"
        "      --input tests/data/smollm2/layer00.safetensors\n"
        "  sagejit make-input --distribution normal --shape 1,2,2,256,256,64 -o "
        "normal.safetensors\n"
        "  sagejit verify --config configs/*-d64.json --input normal.safetensors --markdown");
    verb.action([options] { return run_verify(*options); });
}

}  // namespace sagejit::cli
