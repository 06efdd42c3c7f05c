#include "disk_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>
#include <string>

#include "read_file.h"
#include "toolkits.h"
#include "warning.h"

namespace sagejit {
namespace {

using Missing = TrustedDirectory::Missing;

constexpr const char* kEntrySuffix = ".cubin-entry";
constexpr mode_t kFileMode = 0600;

std::string entry_name(const CacheKey& key) { return key.digest + kEntrySuffix; }

// A name no other process or thread takes; O_EXCL guards against the rest.
std::string temporary_name(std::string_view stem) {
    thread_local std::mt19937_64 random(std::random_device{}());
    return fmt::format("{}.{}.{:016x}.tmp", stem, getpid(), random());
}

bool write_all(int file, const std::string& bytes) {
    size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t written = write(file, bytes.data() + done, bytes.size() - done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        done += written;
    }
    return true;
}

// Makes a file. Returns what went wrong, and whether it was made before that in `made`.
std::string write_new(const TrustedDirectory& directory, const std::string& name,
                      const std::string& bytes, bool& made) {
    FileHandle file(openat(directory.descriptor(), name.c_str(),
                           O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kFileMode));
    made = file.is_open();
    if (!made || !write_all(file.get(), bytes) || fsync(file.get()) != 0) {
        return std::strerror(errno);
    }
    return "";
}

}  // namespace

DiskCache::DiskCache(const std::filesystem::path& root, uint64_t limit_bytes)
    : limit_bytes_(limit_bytes) {
    root_ = TrustedDirectory::open(root, Missing::kCreate);
    if (root_.is_open()) return;
    if (root.empty()) {
        problem_ = "there is no home directory to keep compiled kernels in";
    } else {
        problem_ = fmt::format("{} {}", root_.path().string(),
                               root_.problem().empty() ? "cannot be created" : root_.problem());
    }
    warn_once("compiled kernels are not cached: " + problem_);
}

TrustedDirectory DiskCache::entry_directory(const CacheKey& key, Missing missing) const {
    return root_.open_child(kLayout, missing)
        .open_child(key.arch, missing)
        .open_child(key.digest.substr(0, 2), missing);
}

std::optional<CompiledCubin> DiskCache::find(const CacheKey& key) const {
    if (!is_usable()) return std::nullopt;
    const TrustedDirectory directory = entry_directory(key, Missing::kRefuse);
    if (!directory.is_open()) {
        if (!directory.problem().empty()) {
            warn_once(fmt::format("part of the cache is ignored: {} {}", directory.path().string(),
                                  directory.problem()));
        }
        return std::nullopt;
    }
    const std::string name = entry_name(key);
    const std::string path = (directory.path() / name).string();
    const FileContent content = read_file(directory, name);
    if (content.state == FileContent::kMissing) return std::nullopt;
    if (content.state == FileContent::kUnreadable) {
        warn_once(fmt::format("cannot read {}: {}", path, content.problem));
        return std::nullopt;
    }
    std::string problem = content.problem;
    std::optional<CompiledCubin> cubin;
    if (content.state == FileContent::kWhole) cubin = decode_entry(content.bytes, key, problem);
    if (cubin) {
        futimens(content.file.get(), nullptr);  // used now, for trim
        return cubin;
    }
    // Bad content is set aside, so that the next publish replaces it.
    warn_once(fmt::format("{} is {}; it is set aside and compiled anew", path, problem));
    set_aside(directory, name);
    return std::nullopt;
}

std::string DiskCache::note(const char* name) const {
    constexpr size_t kMostBytes = 64 << 10;
    if (!is_usable()) return "";
    FileContent content = read_file(root_, name, kMostBytes);
    return content.state == FileContent::kWhole ? std::move(content.bytes) : "";
}

void DiskCache::write_note(const char* name, const std::string& bytes) const {
    const TrustedDirectory temporary = root_.open_child(kTemporary, Missing::kCreate);
    if (!temporary.is_open()) return;
    const std::string written = temporary_name(name);
    bool made = false;
    const bool is_whole = write_new(temporary, written, bytes, made).empty();
    const int from = temporary.descriptor();
    if (is_whole && renameat(from, written.c_str(), root_.descriptor(), name) == 0) return;
    if (made) unlinkat(from, written.c_str(), 0);
}

void DiskCache::remove_note(const char* name) const {
    if (is_usable()) unlinkat(root_.descriptor(), name, 0);
}

std::vector<NvrtcInfo> DiskCache::toolkits(const std::string& arch) const {
    return toolkits_of_entries(root_.open_child(kLayout, Missing::kRefuse), arch);
}

std::optional<std::string> DiskCache::read(const CacheFile& file, std::string& problem) const {
    const TrustedDirectory directory = root_.open_child(kLayout, Missing::kRefuse)
                                           .open_child(file.arch, Missing::kRefuse)
                                           .open_child(file.prefix, Missing::kRefuse);
    if (!directory.is_open()) {
        problem = directory.problem().empty() ? "gone" : directory.problem();
        return std::nullopt;
    }
    FileContent content = read_file(directory, file.name);
    problem = content.state == FileContent::kMissing ? "gone" : content.problem;
    if (content.state != FileContent::kWhole) return std::nullopt;
    return std::move(content.bytes);
}

bool DiskCache::publish(const CacheKey& key, const CompiledCubin& cubin) const {
    if (!is_usable()) return false;
    const std::string problem = write_and_link(key, encode_entry(key, cubin));
    if (!problem.empty()) {
        warn_once(
            fmt::format("compiled kernels are not cached in {}: {}", root().string(), problem));
        return false;
    }
    trim();
    return true;
}

// Returns what went wrong; empty when the entry is there.
std::string DiskCache::write_and_link(const CacheKey& key, const std::string& bytes) const {
    const auto reason = [](const TrustedDirectory& directory) {
        return fmt::format("{} {}", directory.path().string(),
                           directory.problem().empty() ? "vanished" : directory.problem());
    };
    const TrustedDirectory temporary = root_.open_child(kTemporary, Missing::kCreate);
    if (!temporary.is_open()) return reason(temporary);
    const TrustedDirectory directory = entry_directory(key, Missing::kCreate);
    if (!directory.is_open()) return reason(directory);

    const std::string name = temporary_name(key.digest), final_name = entry_name(key);
    const int from = temporary.descriptor(), to = directory.descriptor();
    bool made = false;
    std::string problem = write_new(temporary, name, bytes, made);
    if (!made) return problem;
    // Somebody else's entry of the same key is as good as ours. Not every file system has links.
    bool renamed = false;
    if (problem.empty() && linkat(from, name.c_str(), to, final_name.c_str(), 0) != 0 &&
        errno != EEXIST) {
        renamed = renameat(from, name.c_str(), to, final_name.c_str()) == 0;
        if (!renamed) problem = std::strerror(errno);
    }
    if (!renamed && unlinkat(from, name.c_str(), 0) != 0 && errno != ENOENT) {
        warn_once(fmt::format("cannot remove {}: {}", (temporary.path() / name).string(),
                              std::strerror(errno)));
    }
    return problem;
}

// Moves a bad entry to tmp/, where it can be looked at until it is swept.
void DiskCache::set_aside(const TrustedDirectory& directory, const std::string& name) const {
    const TrustedDirectory temporary = root_.open_child(kTemporary, Missing::kCreate);
    const std::string bad = name + ".bad";
    if (temporary.is_open() &&
        renameat(directory.descriptor(), name.c_str(), temporary.descriptor(), bad.c_str()) == 0) {
        return;
    }
    if (unlinkat(directory.descriptor(), name.c_str(), 0) != 0 && errno != ENOENT) {
        warn_once(fmt::format("cannot remove {}: {}", (directory.path() / name).string(),
                              std::strerror(errno)));
    }
}

std::filesystem::path DiskCache::dump_directory() const {
    const TrustedDirectory temporary = root_.open_child(kTemporary, Missing::kCreate);
    return temporary.is_open() && faccessat(temporary.descriptor(), ".", W_OK, AT_EACCESS) == 0
               ? temporary.path()
               : std::filesystem::path();
}

bool DiskCache::is_writable() const { return !dump_directory().empty(); }

}  // namespace sagejit
