// Completion for zsh, by _arguments.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "command_table.h"

namespace sagejit::cli {
namespace {

constexpr std::string_view kHead =
    R"(#compdef sagejit
# zsh completion for sagejit. Made by: sagejit completion zsh
# Use: put it into a directory of $fpath as _sagejit, or: source <(sagejit completion zsh)

_sagejit() {
    local curcontext=$curcontext state line
    typeset -A opt_args
    _arguments -C \
)";

// Run by the completion system as a function of its own, or sourced.
constexpr std::string_view kTail =
    R"(
if [[ ${funcstack[1]} == _sagejit ]]; then
    _sagejit "$@"
else
    compdef _sagejit sagejit
fi
)";

// Within single quotes, and within the brackets and colons of _arguments.
std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (c == '\'') {
            result += R"('\'')";
            continue;
        }
        if (c == '[' || c == ']' || c == ':' || c == '\\') result += '\\';
        result += c;
    }
    return result;
}

std::string action(const OptionRow& option) {
    switch (option.kind) {
        case ValueKind::kWord:
            return fmt::format("({})",
                               escaped(fmt::format("{}", fmt::join(option.hint.words, " "))));
        case ValueKind::kFile:
            return option.hint.extension.empty()
                       ? "_files"
                       : fmt::format("_files -g \"*{}\"", option.hint.extension);
        case ValueKind::kDirectory:
            return "_files -/";
        case ValueKind::kFree:
        case ValueKind::kNone:
            return " ";
    }
    return " ";
}

std::string argument(const OptionRow& option) {
    if (option.is_positional()) {
        return fmt::format("'{}:{}:{}'", option.repeats ? "*" : "", escaped(option.placeholder),
                           action(option));
    }
    std::string value;
    if (option.kind != ValueKind::kNone) {
        value = fmt::format(":{}:{}", escaped(option.placeholder), action(option));
    }
    const std::string meaning = fmt::format("[{}]{}", escaped(option.description), value);
    const std::string star = option.repeats ? "*" : "";
    if (option.short_name.empty()) {
        const std::string equals = option.kind == ValueKind::kNone ? "" : "=";
        return fmt::format("'{}--{}{}{}'", star, option.long_name, equals, meaning);
    }
    const std::string exclusion =
        option.repeats ? "'*'" : fmt::format("'(-{} --{})'", option.short_name, option.long_name);
    const bool has_value = option.kind != ValueKind::kNone;
    return fmt::format("{}{{-{}{},--{}{}}}'{}'", exclusion, option.short_name, has_value ? "+" : "",
                       option.long_name, has_value ? "=" : "", meaning);
}

}  // namespace

std::string zsh_completion(const CommandTable& table) {
    std::string text(kHead);
    for (const OptionRow& option : table.root.options) {
        text += fmt::format("        {} \\\n", argument(option));
    }
    text +=
        "        '1:verb:->verb' '*::argument:->arguments'\n"
        "    case $state in\n"
        "        verb)\n"
        "            local -a verbs=(\n";
    for (const VerbTable& verb : table.verbs) {
        text += fmt::format("                '{}:{}'\n", verb.name, escaped(verb.description));
    }
    text +=
        "            )\n"
        "            _describe verb verbs ;;\n"
        "        arguments)\n"
        "            case $words[1] in\n";
    for (const VerbTable& verb : table.verbs) {
        text += fmt::format("                {})\n                    _arguments", verb.name);
        bool more_values = false;
        for (const OptionRow& option : verb.options) {
            text += fmt::format(" \\\n                        {}", argument(option));
            more_values |= option.repeats && !option.is_positional();
        }
        // _arguments has no way to say how far an option's values go: further ones are any files.
        if (more_values) text += " \\\n                        '*:FILE:_files'";
        text += " ;;\n";
    }
    text += "            esac ;;\n    esac\n}\n";
    return text + std::string(kTail);
}

}  // namespace sagejit::cli
