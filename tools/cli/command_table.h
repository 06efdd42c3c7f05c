// The command line as data: what the parser knows of verbs and options, for completion scripts and
// manual pages.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace sagejit::cli {

// What may stand for a value where the parser itself cannot tell.
struct ValueHint {
    std::vector<std::string> words;  // such as "sm_80"; others may be allowed as well
    std::string extension;           // of the files, e.g. ".json"; empty: any
};
using ValueHints = std::map<const CLI::Option*, ValueHint>;

enum class ValueKind { kNone, kWord, kFile, kDirectory, kFree };

struct OptionRow {
    std::string long_name;    // "config"; empty for a positional
    std::string short_name;   // "c", or empty
    std::string placeholder;  // "FILE"; empty for a flag
    std::string description;  // on one line
    ValueKind kind = ValueKind::kNone;
    ValueHint hint;
    bool required = false;
    bool repeats = false;  // takes several values

    bool is_positional() const { return long_name.empty() && short_name.empty(); }
};

struct VerbTable {
    std::string name;         // "emit"; "sagejit" for the whole
    std::string description;  // one sentence without a full stop
    std::string footer;       // as in the help: remarks and examples
    std::vector<OptionRow> options;
};

struct CommandTable {
    VerbTable root;
    std::vector<VerbTable> verbs;
};

// Reads the parser's own tables.
CommandTable describe(const CLI::App& app, const ValueHints& hints);

// A script that completes `sagejit`'s command lines in that shell.
std::string bash_completion(const CommandTable& table);
std::string zsh_completion(const CommandTable& table);
std::string fish_completion(const CommandTable& table);

struct ManPage {
    std::string name;  // "sagejit-emit.1"
    std::string text;  // man(7) macros
};
// sagejit.1, then one page for each verb.
std::vector<ManPage> man_pages(const CommandTable& table);

}  // namespace sagejit::cli
