#include "progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "output.h"

namespace sagejit::cli {
namespace {

constexpr size_t kBarWidth = 24;
constexpr size_t kFallbackColumns = 80;

// Takes the cursor to the left and clears the line.
constexpr std::string_view kClearLine = "\r\x1b[K";

void to_stderr(std::string_view text) {
    // Progress that cannot be shown is no failure.
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

size_t columns() {
    winsize size{};
    const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : kFallbackColumns;
}

}  // namespace

Progress::Progress() {
    const char* terminal = std::getenv("TERM");
    is_terminal_ =
        ::isatty(STDERR_FILENO) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

Progress::~Progress() { erase(); }

void Progress::erase() {
    if (!bar_.empty()) to_stderr(kClearLine);
}

void Progress::step(size_t done, size_t total, const std::string& text) {
    if (!is_terminal_) {
        note(fmt::format("[{}/{}] {}", done, total, text));
        return;
    }
    const size_t filled = total > 0 ? kBarWidth * done / total : kBarWidth;
    bar_ = printable(fmt::format("[{:#<{}}{:.<{}}] {}/{} {}", "", filled, "", kBarWidth - filled,
                                 done, total, text));
    bar_.resize(std::min(bar_.size(), columns() - 1));  // a line that wraps cannot be cleared
    to_stderr(fmt::format("{}{}", kClearLine, bar_));
}

void Progress::message(const std::string& text) {
    erase();
    note(text);
    to_stderr(bar_);
}

}  // namespace sagejit::cli
