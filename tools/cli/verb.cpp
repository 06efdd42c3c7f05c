#include "verb.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "sagejit/generator/target.h"

namespace sagejit::cli {
namespace {

constexpr const char* kInputDescription =
    "safetensors file with q [B,Hq,Lq,D], k [B,Hkv,Lk,D], v [B,Hkv,Lk,Dv]";

std::vector<std::string> target_words() {
    std::vector<std::string> words;
    for (const Target& target : all_targets()) words.emplace_back(target.name);
    return words;
}

// Checks the text of a value; the function returns what is wrong with it.
CLI::Validator check(const std::function<std::string(const std::string&)>& problem) {
    return CLI::Validator([problem](std::string& text) { return problem(text); }, "");
}

std::string finite_problem(const std::string& text) {
    double value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    const bool finite =
        error == std::errc() && stop == end && std::isfinite(static_cast<float>(value));
    return finite ? std::string() : fmt::format("{} is not a finite fp32 number", text);
}

std::string whole_problem(const std::string& text) {
    uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    const bool whole = error == std::errc() && stop == end;
    return whole ? std::string() : fmt::format("{} is not a whole number from 0", text);
}

std::string choice_problem(const std::vector<std::string>& words, const std::string& text) {
    if (std::find(words.begin(), words.end(), text) != words.end()) return {};
    return fmt::format("{} is not one of {}", text, fmt::join(words, ", "));
}

OptionRow option_row(const CLI::Option& option, const ValueHints& hints) {
    OptionRow row;
    if (!option.get_lnames().empty()) row.long_name = option.get_lnames().front();
    if (!option.get_snames().empty()) row.short_name = option.get_snames().front();
    row.description = option.get_description();
    std::replace(row.description.begin(), row.description.end(), '\n', ' ');
    row.required = option.get_required();
    if (option.get_expected_max() == 0) return row;  // a flag
    row.placeholder = row.is_positional() ? option.get_name() : option.get_type_name();
    row.repeats = option.get_expected_max() > 1;
    const auto hint = hints.find(&option);
    if (hint != hints.end()) row.hint = hint->second;
    row.kind = !row.hint.words.empty()                             ? ValueKind::kWord
               : row.placeholder.find("FILE") != std::string::npos ? ValueKind::kFile
               : row.placeholder == "DIR"                          ? ValueKind::kDirectory
                                                                   : ValueKind::kFree;
    return row;
}

VerbTable verb_table(const CLI::App& app, const ValueHints& hints) {
    VerbTable table{app.get_name(), app.get_description(), app.get_footer(), {}};
    for (const CLI::Option* option : app.get_options()) {
        table.options.push_back(option_row(*option, hints));
    }
    return table;
}

}  // namespace

CommandTable describe(const CLI::App& app, const ValueHints& hints) {
    CommandTable table{verb_table(app, hints), {}};
    for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
        table.verbs.push_back(verb_table(*verb, hints));
    }
    return table;
}

Verb::Verb(CommandLine& line, const char* name, const char* description)
    : verb_(*line.app.add_subcommand(name, description)), line_(line) {}

void Verb::config(std::string& file) {
    text("-c,--config", file, "FILE", "JSON config of the kernel", Presence::kRequired);
    hint("--config", {{}, ".json"});
}

void Verb::configs(std::vector<std::string>& files, Presence presence) {
    texts("-c,--config", files, "FILE", "JSON config of the kernel; several may be given",
          presence);
    hint("--config", {{}, ".json"});
}

void Verb::input(std::string& file) {
    text("-i,--input", file, "FILE", kInputDescription, Presence::kRequired);
    hint("--input", {{}, ".safetensors"});
}

void Verb::inputs(std::vector<std::string>& files) {
    texts("-i,--input", files, "FILE",
          std::string(kInputDescription) +
              ";\nseveral may be given: each config runs on each of them",
          Presence::kRequired);
    hint("--input", {{}, ".safetensors"});
}

void Verb::target(std::string& name, const std::string& fallback) {
    text("-t,--target", name, "ARCH",
         fmt::format("GPU architecture (default: the config's, else {}):\n{}", fallback,
                     fmt::join(target_words(), ", ")));
    hint("--target", {target_words(), {}});
}

void Verb::targets(std::vector<std::string>& names) {
    texts("-t,--target", names, "ARCH",
          fmt::format("GPU architectures; several may be given (default: each config's own):\n{}",
                      fmt::join(target_words(), ", ")));
    hint("--target", {target_words(), {}});
}

void Verb::device(std::string& value) {
    text("-d,--device", value, "DEVICE",
         "host or cuda:N (default: cuda:0 where there is a usable GPU, else host)");
    hint("--device", {{"host", "cuda:0"}, {}});
}

void Verb::logit_scale(std::optional<double>& value) {
    number("--logit-scale", value, "X", "Factor on the scores (default: 1/sqrt(head_dim))");
}

void Verb::no_cache(bool& value) {
    flag("--no-cache", value, "Compile even if the result is in the cache, and do not keep it");
}

void Verb::allow_slow_code(bool& value) {
    flag("--allow-slow-code", value,
         "Take code in which ptxas spilled registers or serialised wgmma: right, and slow");
}

void Verb::json(bool& value) {
    flag("--json", value, "Print one JSON object on stdout and nothing else");
}

void Verb::text(const char* names, std::string& value, const char* placeholder,
                const std::string& description, Presence presence) {
    verb_.add_option(names, value, description)
        ->required(presence == Presence::kRequired)
        ->type_name(placeholder);
}

void Verb::choice(const char* names, std::string& value, const char* placeholder,
                  const std::vector<std::string>& words, const std::string& description,
                  Presence presence) {
    verb_.add_option(names, value, description)
        ->required(presence == Presence::kRequired)
        ->check(check([words](const std::string& given) { return choice_problem(words, given); }))
        ->type_name(placeholder);
    const std::string_view all = names;
    hint(std::string(all.substr(all.rfind(',') + 1)), {words, {}});  // npos + 1 is 0
}

void Verb::texts(const char* names, std::vector<std::string>& values, const char* placeholder,
                 const std::string& description, Presence presence) {
    verb_.add_option(names, values, description)
        ->required(presence == Presence::kRequired)
        ->type_name(placeholder);
}

void Verb::hint(const std::string& name, ValueHint value) {
    line_.hints[verb_.get_option(name)] = std::move(value);
}

void Verb::number(const char* names, std::optional<double>& value, const char* placeholder,
                  const std::string& description) {
    verb_.add_option(names, value, description)
        ->check(check(finite_problem))
        ->type_name(placeholder);
}

void Verb::whole_number(const char* names, uint64_t& value, const char* placeholder,
                        const std::string& description) {
    verb_.add_option(names, value, description)
        ->check(check(whole_problem))
        ->type_name(placeholder);
}

void Verb::flag(const char* names, bool& value, const std::string& description) {
    verb_.add_flag(names, value, description);
}

void Verb::footer(const std::string& text) { verb_.footer(text); }

void Verb::action(Action action) {
    verb_.callback([&line = line_, action = std::move(action)] { line.action = action; });
}

}  // namespace sagejit::cli
