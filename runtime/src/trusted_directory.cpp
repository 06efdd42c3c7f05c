#include "trusted_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace sagejit {
namespace {

constexpr mode_t kDirectoryMode = 0700;
constexpr uid_t kRoot = 0;

// mkdir -p, with mode 0700 for what it makes. Failures show when the directory is opened.
void make_directories(const std::filesystem::path& path) {
    std::filesystem::path prefix;
    for (const std::filesystem::path& part : path) {
        prefix /= part;
        if (prefix != path.root_path()) mkdir(prefix.c_str(), kDirectoryMode);
    }
}

}  // namespace

FileHandle::FileHandle(FileHandle&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileHandle& FileHandle::operator=(FileHandle&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

FileHandle::~FileHandle() {
    if (is_open()) ::close(descriptor_);
}

bool is_private(const struct stat& status) {
    return status.st_uid == geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

TrustedDirectory TrustedDirectory::open_at(int parent, const std::string& name,
                                           const std::filesystem::path& path, Owner owner) {
    TrustedDirectory directory;
    directory.path_ = path;
    directory.owner_ = owner;
    FileHandle handle(
        openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!handle.is_open()) {
        // With O_DIRECTORY a link is "not a directory" rather than a loop.
        struct stat status;
        const int error = errno;
        if (fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISLNK(status.st_mode)) {
            directory.problem_ = "is a symbolic link";
        } else if (error != ENOENT) {
            directory.problem_ = std::strerror(error);
        }
        return directory;
    }
    struct stat status;
    if (fstat(handle.get(), &status) != 0) {
        directory.problem_ = std::strerror(errno);
    } else if (status.st_uid != geteuid() && (owner == Owner::kUser || status.st_uid != kRoot)) {
        directory.problem_ = fmt::format("belongs to user {}, not to {}", status.st_uid, geteuid());
    } else if (!directory.accepts(status)) {
        directory.problem_ = fmt::format("may be written by others (mode {:04o}); chmod 700 it",
                                         status.st_mode & 07777);
    } else {
        directory.handle_ = std::move(handle);
    }
    return directory;
}

bool TrustedDirectory::accepts(const struct stat& status) const {
    const bool ours =
        status.st_uid == geteuid() || (owner_ == Owner::kUserOrRoot && status.st_uid == kRoot);
    return ours && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

TrustedDirectory TrustedDirectory::open(const std::filesystem::path& path, Missing missing,
                                        Owner owner) {
    // Without a trailing slash, which would make the system follow a link.
    std::filesystem::path clean = path.lexically_normal();
    if (!clean.has_filename()) clean = clean.parent_path();
    if (missing == Missing::kCreate) make_directories(clean);
    return open_at(AT_FDCWD, clean.string(), clean, owner);
}

TrustedDirectory TrustedDirectory::open_child(const std::string& name, Missing missing) const {
    if (!is_open()) {
        TrustedDirectory same;
        same.path_ = path_;
        same.problem_ = problem_;
        return same;
    }
    if (missing == Missing::kCreate && mkdirat(descriptor(), name.c_str(), kDirectoryMode) != 0 &&
        errno != EEXIST) {
        TrustedDirectory directory;
        directory.path_ = path_ / name;
        directory.problem_ = std::strerror(errno);
        return directory;
    }
    return open_at(descriptor(), name, path_ / name, owner_);
}

void TrustedDirectory::for_each(
    const std::function<void(const std::string&, const struct stat&)>& function) const {
    // A second descriptor: closing the stream closes it, and each has a position of its own.
    const int descriptor_of_stream = openat(descriptor(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor_of_stream < 0) return;
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(descriptor_of_stream), closedir);
    if (stream == nullptr) {
        ::close(descriptor_of_stream);
        return;
    }
    while (const dirent* item = readdir(stream.get())) {
        const std::string name = item->d_name;
        struct stat status;
        if (name == "." || name == ".." ||
            fstatat(descriptor(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        function(name, status);
    }
}

}  // namespace sagejit
