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

std::string target_names() {
    std::string names;
    for (const Target& target : all_targets()) {
        names += names.empty() ? "" : ", ";
        names += target.name;
    }
    return names;
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

}  // namespace

Verb::Verb(CommandLine& line, const char* name, const char* description)
    : verb_(*line.app.add_subcommand(name, description)), line_(line) {}

void Verb::config(std::string& file) {
    text("-c,--config", file, "FILE", "JSON config of the kernel", Presence::kRequired);
}

void Verb::configs(std::vector<std::string>& files) {
    verb_.add_option("-c,--config", files, "JSON config of the kernel; several may be given")
        ->required()
        ->type_name("FILE");
}

void Verb::input(std::string& file) {
    text("-i,--input", file, "FILE", kInputDescription, Presence::kRequired);
}

void Verb::inputs(std::vector<std::string>& files) {
    verb_
        .add_option("-i,--input", files,
                    std::string(kInputDescription) +
                        ";\nseveral may be given: each config runs on each of them")
        ->required()
        ->type_name("FILE");
}

void Verb::target(std::string& name, const std::string& fallback) {
    text("-t,--target", name, "ARCH",
         fmt::format("GPU architecture (default: the config's, else {}):\n{}", fallback,
                     target_names()));
}

void Verb::device(std::string& value) {
    text("-d,--device", value, "DEVICE",
         "host or cuda:N (default: cuda:0 where there is a usable GPU, else host)");
}

void Verb::logit_scale(std::optional<double>& value) {
    number("--logit-scale", value, "X", "Factor on the scores (default: 1/sqrt(head_dim))");
}

void Verb::no_cache(bool& value) {
    flag("--no-cache", value, "Compile even if the result is in the cache, and do not keep it");
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
