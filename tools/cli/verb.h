// Declaring a verb and its options. Options that several verbs share are spelled here once, so
// that they read and behave alike. CLI11 takes ten seconds to compile, so verbs do not see it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "command_table.h"

namespace sagejit::cli {

// Does what was asked and returns the exit code. Throws Error and UsageError.
using Action = std::function<int()>;

// What parsing a command line leaves behind: the chosen verb's action.
struct CommandLine {
    CLI::App& app;
    Action action;
    ValueHints hints;  // for completion
};

enum class Presence { kOptional, kRequired };

// One verb. Options are stored in the variables given here when the command line is parsed; these
// must live as long as the CommandLine.
class Verb {
  public:
    Verb(CommandLine& line, const char* name, const char* description);

    // -c,--config FILE; several: `--config a b` and `--config a --config b` alike.
    void config(std::string& file);
    void configs(std::vector<std::string>& files, Presence presence = Presence::kRequired);
    // -i,--input FILE, the tensors to attend to.
    void input(std::string& file);
    void inputs(std::vector<std::string>& files);
    // -t,--target ARCH; fallback: what is taken where neither it nor the config names one.
    void target(std::string& name, const std::string& fallback);
    // -t,--target ARCH..., several.
    void targets(std::vector<std::string>& names);
    void device(std::string& text);
    void logit_scale(std::optional<double>& value);
    void no_cache(bool& value);
    void allow_slow_code(bool& value);
    void json(bool& value);

    // Options of one verb. names: "-o,--output", or a word for an argument without a name;
    // placeholder: the value in the help. Completion offers files where it contains FILE and
    // directories where it is DIR.
    void text(const char* names, std::string& value, const char* placeholder,
              const std::string& description, Presence presence = Presence::kOptional);
    // One of the words.
    void choice(const char* names, std::string& value, const char* placeholder,
                const std::vector<std::string>& words, const std::string& description,
                Presence presence = Presence::kOptional);
    // One or several values of any text.
    void texts(const char* names, std::vector<std::string>& values, const char* placeholder,
               const std::string& description, Presence presence = Presence::kOptional);
    // A finite number that fp32 can hold.
    void number(const char* names, std::optional<double>& value, const char* placeholder,
                const std::string& description);
    // Decimal digits, from 0.
    void whole_number(const char* names, uint64_t& value, const char* placeholder,
                      const std::string& description);
    void flag(const char* names, bool& value, const std::string& description);

    // What follows the options in the help: examples.
    void footer(const std::string& text);
    void action(Action action);

    // What completion offers for the values of an option declared before.
    void hint(const std::string& name, ValueHint value);

  private:
    CLI::App& verb_;
    CommandLine& line_;
};

}  // namespace sagejit::cli
