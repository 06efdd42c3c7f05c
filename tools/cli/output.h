// The conventions every verb keeps: what goes to stdout and stderr, exit codes, error objects.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "sagejit/generator/error.h"

namespace sagejit::cli {

using Json = nlohmann::ordered_json;

// Exit codes; part of the command line's contract (docs/reference/command-line.md).
enum ExitCode : int {
    kOk = 0,
    kUsage = 2,
    kBadInput = 3,
    kCompileFailure = 4,
    kNoDeviceOrTool = 5,
    kVerificationFailure = 6,
    kBug = 70,
};
ExitCode exit_code(ErrorCode code);

// The command line itself is wrong.
class UsageError : public std::exception {
  public:
    explicit UsageError(std::string message, std::string fix = {});
    const char* what() const noexcept override { return message_.c_str(); }
    const std::string& fix() const { return fix_; }

  private:
    std::string message_, fix_;
};

// Opens /dev/null for each of the three standard streams that is closed, so that no file a verb
// opens takes its number; makes a broken pipe and a file past its size limit errors instead of
// signals.
void secure_standard_streams();

// Writes all of the text to stdout. Throws Error(kIo), with the system's reason, if it cannot.
void print(std::string_view text);
// The same for one JSON object; schema_version is put first. Non-finite numbers become null.
void print_json(const Json& fields);

// The object as print_json spells it, on one line, for files of JSON lines.
std::string json_line(const Json& fields);

// The text with '?' for control characters, but newlines and tabs: names from files and configs
// must not reach a terminal as commands.
std::string printable(std::string_view text);

// Whether stdout is a terminal that shows colours: NO_COLOR is not set (https://no-color.org), and
// TERM not "dumb".
bool stdout_shows_colour();

// One line to stderr, after "sagejit: ", made printable.
void note(std::string_view text);

// Reports a failure, on stdout as JSON or on stderr as text, and returns its exit code. code:
// stable spelling, e.g. "usage".
ExitCode report_error(ExitCode exit, std::string_view code, std::string_view message,
                      std::string_view where, std::string_view fix, bool json);
ExitCode report_error(const Error& error, bool json);

// Writes a text file in whole or not at all. Throws Error(kIo).
void write_text_file(const std::string& path, std::string_view text);

}  // namespace sagejit::cli
