// sagejit inspect: what a kernel is made of, what it uses and what limits it.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "inspection.h"
#include "output_path.h"
#include "table.h"
#include "verbs.h"

namespace sagejit::cli {
namespace {

struct Options {
    std::vector<std::string> files, configs, diff;
    std::string html;
    InspectOptions inspect;
    bool json = false;
};

Table to_table(const std::vector<std::string>& header,
               const std::vector<std::vector<std::string>>& rows) {
    Table table(header);
    for (const std::vector<std::string>& row : rows) table.add(row);
    return table;
}

std::string mix_text(const InspectedKernel& kernel) {
    std::string text =
        fmt::format("{} of {}: {} instructions", kernel.mix_of_loop ? "main loop" : "all",
                    kernel.symbol, kernel.mix->total);
    std::string line = "\n ";
    for (int i = 0; i < analysis::kInstructionKinds; ++i) {
        const auto kind = static_cast<analysis::InstructionKind>(i);
        const int count = kernel.mix->of(kind);
        // Spills are worth telling where there are none, too.
        if (count == 0 && kind != analysis::InstructionKind::kSpill) continue;
        const std::string part = fmt::format(" {} {},", to_string(kind), count);
        if (line.size() + part.size() > kTerminalColumns) {
            text += line;
            line = "\n ";
        }
        line += part;
    }
    text += line;
    text.pop_back();
    return text + "\n";
}

std::string limits_text(const Inspection& inspection) {
    const Prediction& prediction = *inspection.prediction;
    std::string text =
        fmt::format("estimated for one {} and {}:\n ", analysis::usual_gpu(inspection.plan->target),
                    inspection.sizes->text);
    int written = 0;
    for (const ResourceTime& time : resource_times(prediction)) {
        if (written++ == 3) text += "\n ";
        text += fmt::format(" {} {:.3g} ms,", time.resource, time.milliseconds);
    }
    text.pop_back();
    text +=
        fmt::format("\n  attention {:.3g} ms, limited by {}; whole call {:.3g} ms\n",
                    prediction.attention_ms, to_string(prediction.limit), prediction.whole_call_ms);
    return text;
}

std::string inspection_text(const Inspection& inspection) {
    std::string text = fmt::format("{} for {}\n", inspection.name, inspection.target);
    if (inspection.plan) {
        const Plan& plan = *inspection.plan;
        text += fmt::format("tile {} x {}, {} warps, {} stages, {} bytes of shared memory\n",
                            plan.tile_q, plan.tile_k, plan.warps, plan.stages, plan.shared_bytes);
    }
    text = printable(text + "bytes: spills, stack (a thread), shared memory (a CTA)\n") + "\n" +
           to_table(kernel_header(), kernel_rows(inspection)).terminal_text(stdout_shows_colour()) +
           "\n";
    for (const InspectedKernel& kernel : inspection.kernels) {
        if (kernel.mix && kernel.mix_of_loop) text += printable(mix_text(kernel));
    }
    if (inspection.prediction) text += printable(limits_text(inspection));
    return text;
}

void check_options(const Options& options) {
    const size_t given = options.files.size() + options.configs.size();
    if (!options.diff.empty()) {
        if (given > 0) throw UsageError("--diff takes the two files itself");
        if (options.diff.size() != 2) throw UsageError("--diff takes two files");
        return;
    }
    if (given == 0) throw UsageError("nothing to inspect", "name a config, a cubin or a bundle");
    if (given > 1) throw UsageError("several files to inspect", "name one, or --diff A B");
}

void write_html(const Options& options, const std::string& html) {
    if (options.html.empty()) return;
    write_text_file(options.html, html);
    note(fmt::format("wrote {}", options.html));
}

int run_diff(const Options& options) {
    std::vector<Inspection> both;
    std::vector<std::string> told;
    for (const std::string& file : options.diff) {
        std::vector<Inspection> found = inspect_file(file, options.inspect);
        if (found.size() > 1) {
            throw Error(ErrorCode::kInvalidInput, "holds several kernels", file,
                        "compare configs or cubins, or add --target");
        }
        for (const std::string& text : found.front().notes) {
            if (std::find(told.begin(), told.end(), text) == told.end()) note(text);
            told.push_back(text);
        }
        both.push_back(std::move(found.front()));
    }
    Json listed = Json::array();
    Table table({"field", "A: " + both[0].name, "B: " + both[1].name, "change"});
    for (const Difference& difference : differences(both[0], both[1])) {
        listed.push_back({{"field", difference.field}, {"a", difference.a}, {"b", difference.b}});
        table.add({difference.field, difference.a, difference.b, difference.change});
    }
    const Json data = {
        {"a", inspection_json(both[0])}, {"b", inspection_json(both[1])}, {"differences", listed}};
    write_html(options, difference_html(both[0], both[1], data));
    if (options.json) {
        print_json(data);
    } else if (listed.empty()) {
        print("no differences\n");
    } else {
        print(table.terminal_text(stdout_shows_colour()));
    }
    return kOk;
}

int run_inspect(const Options& options) {
    check_options(options);
    const std::vector<std::string>& files = !options.diff.empty()   ? options.diff
                                            : options.files.empty() ? options.configs
                                                                    : options.files;
    if (!options.html.empty()) check_output(options.html, files);
    if (!options.diff.empty()) return run_diff(options);
    const std::vector<Inspection> inspections = inspect_file(files.front(), options.inspect);
    Json listed = Json::array();
    std::string text;
    for (const Inspection& inspection : inspections) {
        for (const std::string& remark : inspection.notes) note(remark);
        listed.push_back(inspection_json(inspection));
        text += (text.empty() ? "" : "\n") + inspection_text(inspection);
    }
    const Json data = {{"inspections", std::move(listed)}};
    write_html(options, inspection_html(inspections, data));
    if (options.json) {
        print_json(data);
    } else {
        print(text);
    }
    return kOk;
}

}  // namespace

void add_inspect(CommandLine& line) {
    auto options = std::make_shared<Options>();
    Verb verb(line, "inspect", "Show what a kernel uses, what its loop does and what limits it");
    verb.texts("FILE", options->files, "", "A config, a cubin or a bundle");
    verb.texts("-c,--config", options->configs, "FILE", "The same, as other verbs take it");
    verb.hint("--config", {{}, ".json"});
    verb.target(options->inspect.target, std::string(kDefaultTarget));
    verb.texts("--diff", options->diff, "FILE", "Compare two configs or cubins: --diff A B");
    verb.text("-s,--shape", options->inspect.shape, kShapePlaceholder,
              "Sizes of the call whose limits are estimated\n"
              "(default: 1,32,32,4096,4096 and the config's head dimensions)");
    verb.text("--html", options->html, "FILE", "Write a report with pictures to this file");
    verb.no_cache(options->inspect.no_cache);
    verb.json(options->json);
    verb.footer(
        "A config is compiled with NVRTC where there is one. Instructions are read by nvdisasm or\n"
        "cuobjdump where one is installed, else by a table of opcodes.\n\nExamples:\n"
        "  sagejit inspect --config configs/thread-d64.json --target sm_89 --html inspect.html\n"
        "  sagejit inspect --diff configs/thread-d64.json configs/sage-vt-d64.json "
        "--target sm_89");
    verb.action([options] { return run_inspect(*options); });
}

}  // namespace sagejit::cli
