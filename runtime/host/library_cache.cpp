#include "host/library_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>
#include <string_view>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "warning.h"

namespace sagejit::host {
namespace {

using Missing = TrustedDirectory::Missing;

// What ends a kept library, behind all that the loader reads: this word and a hash of the rest.
constexpr std::string_view kMagic = "sagejit1";
constexpr std::size_t kHashDigits = 32;
constexpr mode_t kFileMode = 0600;

std::string hash_of(std::string_view bytes) {
    const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string file_name(const std::string& key) { return key + ".so"; }

// All bytes of a file of this user alone; nothing where it is not one or cannot be read.
std::optional<std::string> read_private(int directory, const std::string& name) {
    const FileHandle file(
        openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status;
    if (!file.is_open() || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
        !is_private(status)) {
        return {};
    }
    std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t count = read(file.get(), bytes.data() + done, bytes.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return {};
        done += static_cast<std::size_t>(count);
    }
    return bytes;
}

bool write_all(int file, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t count = write(file, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

bool is_intact(std::string_view bytes) {
    const std::size_t footer = kMagic.size() + kHashDigits;
    if (bytes.size() < footer) return false;
    const std::string_view library = bytes.substr(0, bytes.size() - footer);
    const std::string_view rest = bytes.substr(library.size());
    return rest.starts_with(kMagic) && rest.substr(kMagic.size()) == hash_of(library);
}

// Creates a file for all to see at once. Says what went wrong, or nothing.
std::string write_at_once(const TrustedDirectory& temporary, const TrustedDirectory& directory,
                          const std::string& name, std::string_view bytes) {
    for (const TrustedDirectory* each : {&temporary, &directory}) {
        if (!each->is_open()) return fmt::format("{} {}", each->path().string(), each->problem());
    }
    thread_local std::mt19937_64 random(std::random_device{}());
    const std::string draft = fmt::format("{}.{}.{:016x}.tmp", name, getpid(), random());
    const FileHandle file(openat(temporary.descriptor(), draft.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kFileMode));
    if (!file.is_open()) return std::strerror(errno);
    if (write_all(file.get(), bytes) && fsync(file.get()) == 0 &&
        renameat(temporary.descriptor(), draft.c_str(), directory.descriptor(), name.c_str()) ==
            0) {
        return "";
    }
    const std::string problem = std::strerror(errno);
    unlinkat(temporary.descriptor(), draft.c_str(), 0);
    return problem;
}

void warn(const std::string& problem) {
    warn_once("compiled host kernels are not kept: " + problem);
}

}  // namespace

std::string library_key(const std::string& compiler_version, const std::string& flags,
                        const std::string& text) {
    return hash_of(compiler_version + '\0' + flags + '\0' + text);
}

LibraryCache::LibraryCache(const std::filesystem::path& root) {
    if (root.empty()) return;
    root_ = TrustedDirectory::open(root, Missing::kCreate);
    if (!root_.is_open()) {
        warn(fmt::format("{} {}", root.string(),
                         root_.problem().empty() ? "cannot be created" : root_.problem()));
    }
}

TrustedDirectory LibraryCache::directory_of(const std::string& key, Missing missing) const {
    return root_.open_child("v1", missing)
        .open_child("host", missing)
        .open_child(key.substr(0, 2), missing);
}

std::optional<std::filesystem::path> LibraryCache::find(const std::string& key) const {
    const TrustedDirectory directory = directory_of(key, Missing::kRefuse);
    if (!directory.is_open()) return {};
    const std::optional<std::string> bytes = read_private(directory.descriptor(), file_name(key));
    if (!bytes) return {};
    if (!is_intact(*bytes)) {
        remove(key);
        return {};
    }
    // Used now: the cache drops what was not used for longest.
    utimensat(directory.descriptor(), file_name(key).c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
    return directory.path() / file_name(key);
}

std::optional<std::filesystem::path> LibraryCache::publish(
    const std::string& key, const std::filesystem::path& library) const {
    if (!root_.is_open()) return {};
    const std::optional<std::string> bytes = read_private(AT_FDCWD, library.string());
    if (!bytes) return {};
    const TrustedDirectory directory = directory_of(key, Missing::kCreate);
    const std::string problem =
        write_at_once(root_.open_child("tmp", Missing::kCreate), directory, file_name(key),
                      *bytes + std::string(kMagic) + hash_of(*bytes));
    if (problem.empty()) return directory.path() / file_name(key);
    warn(problem);
    return {};
}

void LibraryCache::remove(const std::string& key) const {
    const TrustedDirectory directory = directory_of(key, Missing::kRefuse);
    if (directory.is_open()) unlinkat(directory.descriptor(), file_name(key).c_str(), 0);
}

}  // namespace sagejit::host
