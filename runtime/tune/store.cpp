#include "tune/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cache_directory.h"
#include "sagejit/generator/error.h"
#include "warning.h"

namespace sagejit {
namespace {

constexpr size_t kLargestFile = size_t{64} << 20;  // bytes

std::vector<std::string> split_lines(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
        const size_t end = text.find('\n');
        if (end != 0) lines.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return lines;
}

// The whole file, or why it cannot be read. Nothing where there is none.
std::string read_file(const TrustedDirectory& directory, const char* file, std::string& problem) {
    const FileHandle handle(
        ::openat(directory.descriptor(), file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!handle.is_open()) {
        if (errno != ENOENT) problem = std::strerror(errno);
        return {};
    }
    struct stat status {};
    if (::fstat(handle.get(), &status) != 0 || !S_ISREG(status.st_mode) || !is_private(status)) {
        problem = "is not a file that only this user may write";
        return {};
    }
    if (static_cast<size_t>(status.st_size) > kLargestFile) {
        problem = fmt::format("has more than {} bytes", kLargestFile);
        return {};
    }
    std::string text(static_cast<size_t>(status.st_size), '\0');
    size_t size = 0;
    while (size < text.size()) {
        const ssize_t got = ::read(handle.get(), text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) problem = std::strerror(errno);
        if (got <= 0) break;
        size += static_cast<size_t>(got);
    }
    text.resize(size);
    return text;
}

// Whether the last line was cut short, by a full disk or a kill in the middle of a write.
bool ends_inside_line(int descriptor, off_t size) {
    char last = '\n';
    return size > 0 && ::pread(descriptor, &last, 1, size - 1) == 1 && last != '\n';
}

}  // namespace

TuningStore::TuningStore(const std::filesystem::path& cache)
    : root_(cache.empty() ? default_cache_directory() : cache) {}

TrustedDirectory TuningStore::directory(TrustedDirectory::Missing missing) const {
    if (root_.empty()) return {};
    return TrustedDirectory::open(root_, missing).open_child("tune", missing);
}

std::vector<std::string> TuningStore::lines(const char* file) const {
    const TrustedDirectory tune = directory(TrustedDirectory::Missing::kRefuse);
    if (!tune.is_open()) {
        if (!tune.problem().empty()) {
            warn_once(fmt::format("tuning records are ignored: {}", tune.problem()));
        }
        return {};
    }
    std::string problem;
    const std::string text = read_file(tune, file, problem);
    if (!problem.empty()) {
        warn_once(fmt::format("tuning records are ignored: {} {}", path(file).string(), problem));
        return {};
    }
    return split_lines(text);
}

std::vector<TuningRecord> TuningStore::records() const {
    std::vector<TuningRecord> records;
    size_t damaged = 0;
    for (const std::string& line : lines(kRecords)) {
        if (auto record = parse_record(line)) {
            records.push_back(*std::move(record));
        } else {
            ++damaged;
        }
    }
    if (damaged > 0) {
        warn_once(fmt::format("{}: lines that are no tuning records are ignored",
                              path(kRecords).string()));
    }
    return records;
}

void TuningStore::append(const char* file, const std::string& line) const {
    const auto fail = [&](const std::string& problem) {
        throw Error(ErrorCode::kIo, problem, path(file).string(),
                    "set SAGEJIT_CACHE_DIR to a directory that only you can write");
    };
    const TrustedDirectory tune = directory(TrustedDirectory::Missing::kCreate);
    if (!tune.is_open()) {
        fail(tune.problem().empty() ? "there is no cache directory" : tune.problem());
    }
    constexpr mode_t kMode = 0600;
    const FileHandle handle(::openat(tune.descriptor(), file,
                                     O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kMode));
    struct stat status {};
    if (!handle.is_open() || ::fstat(handle.get(), &status) != 0) {
        fail(fmt::format("cannot open: {}", std::strerror(errno)));
    }
    if (!S_ISREG(status.st_mode) || !is_private(status)) {
        fail("is not a file that only this user may write");
    }
    const std::string text =
        (ends_inside_line(handle.get(), status.st_size) ? "\n" : "") + line + "\n";
    ssize_t written = 0;
    do {
        written = ::write(handle.get(), text.data(), text.size());
    } while (written < 0 && errno == EINTR);
    if (written != static_cast<ssize_t>(text.size())) {
        fail(fmt::format("cannot write: {}", written < 0 ? std::strerror(errno) : "disk full"));
    }
}

const std::vector<TuningRecord>& shipped_records() {
    static const std::vector<TuningRecord> records = [] {
        std::vector<TuningRecord> parsed;
        for (const std::string& line : split_lines(shipped_record_lines())) {
            if (auto record = parse_record(line)) parsed.push_back(*std::move(record));
        }
        return parsed;
    }();
    return records;
}

}  // namespace sagejit
