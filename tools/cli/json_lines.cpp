#include "json_lines.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sagejit::cli {
namespace {

[[noreturn]] void fail(const std::string& file, const char* what) {
    throw Error(ErrorCode::kIo, fmt::format("{}: {}", what, std::strerror(errno)), file,
                "name a file that can be written");
}

}  // namespace

JsonLinesFile::JsonLinesFile(const std::string& file) : file_(file) {
    if (file.empty()) return;
    constexpr mode_t kMode = 0666;
    descriptor_ = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, kMode);
    if (descriptor_ < 0) fail(file, "cannot open");
}

JsonLinesFile::~JsonLinesFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

void JsonLinesFile::append(const Json& row) const {
    if (descriptor_ < 0) return;
    const std::string line = json_line(row);
    size_t done = 0;
    while (done < line.size()) {
        const ssize_t written = ::write(descriptor_, line.data() + done, line.size() - done);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) fail(file_, "cannot write");
        done += static_cast<size_t>(written);
    }
}

}  // namespace sagejit::cli
