#include "output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>

#include "tensor/atomic_file.h"

namespace sagejit::cli {
namespace {

constexpr int kSchemaVersion = 1;
constexpr int kJsonIndent = 2;

// False, with errno set, if not all of it could be written.
bool write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(descriptor, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        text.remove_prefix(static_cast<size_t>(written));
    }
    return true;
}

std::string dump(const Json& fields, int indent) {
    Json object = {{"schema_version", kSchemaVersion}};
    object.update(fields);
    // File names need not be UTF-8; JSON must.
    return object.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

ExitCode exit_code(ErrorCode code) {
    switch (code) {
        case ErrorCode::kInvalidConfig:
        case ErrorCode::kUnsupportedTarget:
        case ErrorCode::kInvalidArgument:
        case ErrorCode::kInvalidInput:
        case ErrorCode::kIo:
            return kBadInput;
        case ErrorCode::kCompileFailed:
            return kCompileFailure;
        case ErrorCode::kNoDriver:
        case ErrorCode::kNoDevice:
        case ErrorCode::kNoNvrtc:
        case ErrorCode::kNoHostCompiler:
        case ErrorCode::kNotBuilt:
        case ErrorCode::kLaunchFailed:
            return kNoDeviceOrTool;
        case ErrorCode::kVerificationFailed:
            return kVerificationFailure;
        case ErrorCode::kNotPrepared:
        case ErrorCode::kCancelled:
        case ErrorCode::kInternal:
            return kBug;
    }
    return kBug;
}

UsageError::UsageError(std::string message, std::string fix)
    : message_(std::move(message)), fix_(std::move(fix)) {}

void secure_standard_streams() {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
    for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        // The lowest free number is the closed stream's. Read-only: writing stays an error.
        if (::fcntl(descriptor, F_GETFD) < 0) (void)::open("/dev/null", O_RDONLY);
    }
}

void print(std::string_view text) {
    if (write_all(STDOUT_FILENO, text)) return;
    throw Error(ErrorCode::kIo, fmt::format("cannot write: {}", std::strerror(errno)),
                "standard output");
}

void print_json(const Json& fields) { print(dump(fields, kJsonIndent)); }

std::string json_line(const Json& fields) { return dump(fields, -1); }

std::string printable(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        const auto byte = static_cast<unsigned char>(c);
        constexpr unsigned char kFirstPrintable = 0x20, kDelete = 0x7F;
        if ((byte < kFirstPrintable && c != '\n' && c != '\t') || byte == kDelete) c = '?';
    }
    return result;
}

bool stdout_shows_colour() {
    const char* no_colour = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    return ::isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0') &&
           term != nullptr && std::strcmp(term, "dumb") != 0;
}

void note(std::string_view text) {
    (void)write_all(STDERR_FILENO, fmt::format("sagejit: {}\n", printable(text)));
}

ExitCode report_error(ExitCode exit, std::string_view code, std::string_view message,
                      std::string_view where, std::string_view fix, bool json) {
    std::string text = "error: ";
    if (!where.empty()) text += fmt::format("{}: ", where);
    text += message;
    if (!fix.empty()) text += fmt::format(" ({})", fix);
    note(text);
    if (!json) return exit;
    try {
        print_json(
            {{"error", {{"code", code}, {"message", message}, {"where", where}, {"fix", fix}}}});
    } catch (const Error&) {
        // stdout is gone; stderr has been told.
    }
    return exit;
}

ExitCode report_error(const Error& error, bool json) {
    return report_error(exit_code(error.code()), to_string(error.code()), error.message(),
                        error.where(), error.fix(), json);
}

void write_text_file(const std::string& path, std::string_view text) {
    const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
    write_file_atomically(path, std::array{bytes});
}

}  // namespace sagejit::cli
