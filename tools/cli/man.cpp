// sagejit man: the manual pages.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "command_table.h"
#include "output.h"
#include "output_path.h"
#include "verbs.h"

namespace sagejit::cli {
namespace {

struct Options {
    std::string verb, output;
    bool json = false;
};

int run_man(const CommandLine& line, const Options& options) {
    std::vector<ManPage> pages = man_pages(describe(line.app, line.hints));
    if (!options.verb.empty()) {
        const std::string wanted = "sagejit-" + options.verb + ".1";
        std::erase_if(pages, [&](const ManPage& page) { return page.name != wanted; });
        if (pages.empty()) {
            throw UsageError(fmt::format("there is no verb {}", options.verb),
                             "see sagejit --help");
        }
    }
    if (!options.output.empty()) make_directory(options.output);
    Json listed = Json::array();
    for (const ManPage& page : pages) {
        Json entry = {{"name", page.name}};
        if (options.output.empty()) {
            entry["text"] = page.text;
        } else {
            const auto file = std::filesystem::path(options.output) / page.name;
            write_text_file(file.string(), page.text);
            note(fmt::format("wrote {}", file.string()));
            entry["file"] = file.string();
        }
        listed.push_back(std::move(entry));
    }
    if (options.json) {
        print_json({{"pages", std::move(listed)}});
    } else if (options.output.empty()) {
        print(pages.front().text);
    }
    return kOk;
}

}  // namespace

void add_man(CommandLine& line) {
    auto options = std::make_shared<Options>();
    Verb verb(line, "man", "Print or write the manual pages");
    verb.text("VERB", options->verb, "", "The verb whose page is wanted (default: sagejit(1))");
    verb.text("-o,--output", options->output, "DIR",
              "Write sagejit.1 and one page for each verb into this directory instead");
    verb.json(options->json);
    verb.footer(
        "Examples:\n"
        "  sagejit man run > sagejit-run.1   # to read it: man -l sagejit-run.1\n"
        "  sagejit man --output man1/");
    verb.action([options, &line] { return run_man(line, *options); });
}

}  // namespace sagejit::cli
