// Completion for fish.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "command_table.h"

namespace sagejit::cli {
namespace {

constexpr std::string_view kHead =
    R"(# fish completion for sagejit. Made by: sagejit completion fish
# Use: sagejit completion fish | source, or put it into ~/.config/fish/completions/sagejit.fish

complete -c sagejit -f
)";

std::string quoted(std::string_view text) {
    std::string result = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') result += '\\';
        result += c;
    }
    return result + "'";
}

// What may stand for the value, as arguments of `complete`.
std::string candidates_of(const OptionRow& option) {
    switch (option.kind) {
        case ValueKind::kWord:
            return fmt::format(" -a {}",
                               quoted(fmt::format("{}", fmt::join(option.hint.words, " "))));
        case ValueKind::kFile:
            return option.hint.extension.empty()
                       ? " -F"
                       : fmt::format(" -k -a '(__fish_complete_suffix {})'", option.hint.extension);
        case ValueKind::kDirectory:
            return " -a '(__fish_complete_directories)'";
        case ValueKind::kFree:
        case ValueKind::kNone:
            return "";
    }
    return "";
}

std::string option_line(const std::string& condition, const OptionRow& option) {
    std::string line = fmt::format("complete -c sagejit -n {}", quoted(condition));
    if (!option.short_name.empty()) line += " -s " + option.short_name;
    if (!option.long_name.empty()) line += " -l " + option.long_name;
    if (option.kind != ValueKind::kNone && !option.is_positional()) line += " -r";
    line += candidates_of(option);
    return line + fmt::format(" -d {}\n", quoted(option.description));
}

}  // namespace

std::string fish_completion(const CommandTable& table) {
    std::string text(kHead);
    const std::string no_verb = "__fish_use_subcommand";
    for (const OptionRow& option : table.root.options) text += option_line(no_verb, option);
    for (const VerbTable& verb : table.verbs) {
        text += fmt::format("complete -c sagejit -n {} -a {} -d {}\n", no_verb, verb.name,
                            quoted(verb.description));
    }
    for (const VerbTable& verb : table.verbs) {
        const std::string condition = "__fish_seen_subcommand_from " + verb.name;
        for (const OptionRow& option : verb.options) {
            text += option_line(condition, option);
            // Its second value and further ones stand where fish expects a plain argument.
            if (option.repeats && !option.is_positional()) {
                OptionRow further = option;
                further.long_name.clear();
                further.short_name.clear();
                text += option_line(condition, further);
            }
        }
    }
    return text;
}

}  // namespace sagejit::cli
