// Completion for bash, without the bash-completion package.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "command_table.h"

namespace sagejit::cli {
namespace {

// COMP_WORDS breaks at '=' and ':', so that "--target=sm_8" and "cuda:0" arrive in pieces. The
// function joins them again, and takes off its replies what readline keeps of the word.
constexpr std::string_view kHead =
    R"(# bash completion for sagejit. Made by: sagejit completion bash
# Use: source <(sagejit completion bash)

_sagejit_words() {
    local word
    for word in $1; do
        [[ $word == "$cur"* ]] && COMPREPLY+=("$word")
    done
}

_sagejit_files() {
    compopt -o filenames 2> /dev/null
    local file
    while IFS= read -r file; do
        [[ -d $file || $file == *"$1" ]] && COMPREPLY+=("$file")
    done < <(compgen -f -- "$cur")
}

_sagejit_directories() {
    compopt -o filenames 2> /dev/null
    local file
    while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -d -- "$cur")
}

_sagejit() {
    COMPREPLY=()
    # The words as the program gets them.
    local -a words=()
    local piece last="" i
    for ((i = 1; i <= COMP_CWORD; i++)); do
        piece=${COMP_WORDS[i]}
        if [[ $last == *: || $piece == :* ]] && ((${#words[@]} > 0)); then
            words[${#words[@]} - 1]+=$piece
        elif [[ $piece == "=" ]]; then
            ((i == COMP_CWORD)) && words+=("")
        else
            words+=("$piece")
        fi
        last=$piece
    done
    ((${#words[@]} > 0)) || words=("")
    local cur=${words[${#words[@]} - 1]} verb="" word
    for word in "${words[@]:0:${#words[@]}-1}"; do
        [[ $word == -* ]] || { verb=$word; break; }
    done
    # The option whose value this may be, and how many values of it stand before.
    local option="" values=0
    for ((i = ${#words[@]} - 2; i >= 0; i--)); do
        if [[ ${words[i]} == -* ]]; then option=${words[i]}; break; fi
        values=$((values + 1))
    done
    [[ $cur == -* ]] && option=""
    _sagejit_after "$verb" "$option" "$values"
    # readline replaces only what follows the last colon.
    if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
        local prefix=${cur%"${cur##*:}"}
        for i in "${!COMPREPLY[@]}"; do COMPREPLY[i]=${COMPREPLY[i]#"$prefix"}; done
    fi
}

# What may follow: verb, the last option, how many values it has already.
_sagejit_after() {
    case $1 in
)";

constexpr std::string_view kTail =
    R"(    esac
}

complete -F _sagejit sagejit
)";

std::string complete_value(const OptionRow& option) {
    switch (option.kind) {
        case ValueKind::kWord:
            return fmt::format("_sagejit_words '{}'", fmt::join(option.hint.words, " "));
        case ValueKind::kFile:
            return fmt::format("_sagejit_files '{}'", option.hint.extension);
        case ValueKind::kDirectory:
            return "_sagejit_directories";
        case ValueKind::kFree:
        case ValueKind::kNone:
            return ":";
    }
    return ":";
}

std::string dashed_names(const VerbTable& verb) {
    std::string names;
    for (const OptionRow& option : verb.options) {
        if (option.is_positional()) continue;
        names += fmt::format("{}--{}", names.empty() ? "" : " ", option.long_name);
    }
    return names;
}

std::string verb_case(const VerbTable& verb, std::string_view label, std::string_view otherwise) {
    std::string text = fmt::format("        {})\n            case $2:$3 in\n", label);
    for (const OptionRow& option : verb.options) {
        if (option.is_positional() || option.kind == ValueKind::kNone) continue;
        // "*": any number of values; "0": the first only.
        std::string labels;
        for (const std::string& name : {"-" + option.short_name, "--" + option.long_name}) {
            if (name == "-") continue;
            labels +=
                fmt::format("{}{}:{}", labels.empty() ? "" : "|", name, option.repeats ? "*" : "0");
        }
        text += fmt::format("                {}) {}; return ;;\n", labels, complete_value(option));
    }
    text += "            esac\n";
    text += fmt::format(
        "            if [[ $cur == -* ]]; then _sagejit_words '{}'\n"
        "            else {}\n            fi ;;\n",
        dashed_names(verb), otherwise);
    return text;
}

}  // namespace

std::string bash_completion(const CommandTable& table) {
    std::string verbs;
    for (const VerbTable& verb : table.verbs) {
        verbs += (verbs.empty() ? "" : " ") + verb.name;
    }
    std::string text(kHead);
    text += verb_case(table.root, "\"\"", fmt::format("_sagejit_words '{}'", verbs));
    for (const VerbTable& verb : table.verbs) {
        std::string positional = ":";
        for (const OptionRow& option : verb.options) {
            if (option.is_positional()) positional = complete_value(option);
        }
        // Without a value to complete, an option is what comes next.
        if (positional == ":") positional = fmt::format("_sagejit_words '{}'", dashed_names(verb));
        text += verb_case(verb, verb.name, positional);
    }
    return text + std::string(kTail);
}

}  // namespace sagejit::cli
