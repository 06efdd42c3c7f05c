#include "library_sighting.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "bundle/checksum.h"
#include "loader_search.h"
#include "trusted_directory.h"

namespace sagejit {
namespace {

constexpr time_t kSettledSeconds = 2;
constexpr off_t kPage = 4096;  // bytes

// What the loader reads from the environment besides the directories it tells of.
constexpr std::array<const char*, 3> kSteering = {"LD_PRELOAD", "LD_HWCAP_MASK", "GLIBC_TUNABLES"};

std::vector<uint8_t> read_page(int file, off_t offset) {
    std::vector<uint8_t> page(kPage);
    const ssize_t count = pread(file, page.data(), page.size(), offset);
    page.resize(std::max<ssize_t>(count, 0));
    return page;
}

// A library's first page has its segments' sizes and its last one those of its sections: even
// where an image gives all files the same time, another build has another checksum.
std::string checksum_of_ends(const std::string& path, off_t size) {
    const FileHandle file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!file.is_open()) return "unreadable";
    return to_hex(checksum(
        {read_page(file.get(), 0), read_page(file.get(), std::max<off_t>(size - kPage, 0))}));
}

std::string describe(const std::string& path, const struct stat& status) {
    if (!S_ISREG(status.st_mode)) return "no file";
    return fmt::format("{} bytes, {}.{:09} {}.{:09}, inode {}, {}", status.st_size,
                       status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
                       status.st_ctim.tv_nsec, status.st_ino,
                       checksum_of_ends(path, status.st_size));
}

}  // namespace

bool LibrarySighting::is_settled_at(const std::string& path) const {
    struct stat status {};
    return found && stat(path.c_str(), &status) == 0 && status.st_dev == found->st_dev &&
           status.st_ino == found->st_ino && status.st_ctim.tv_sec == found->st_ctim.tv_sec &&
           status.st_ctim.tv_nsec == found->st_ctim.tv_nsec &&
           status.st_ctim.tv_sec + kSettledSeconds < time(nullptr);
}

std::optional<LibrarySighting> sight_library(std::span<const std::string> candidates,
                                             bool may_be_loaded) {
    if (std::getenv("LD_AUDIT") != nullptr) return std::nullopt;  // a module may redirect
    LibrarySighting sighting;
    for (const char* name : kSteering) {
        const char* value = std::getenv(name);
        if (value != nullptr) sighting.text += fmt::format("{}={}\n", name, value);
    }
    for (const std::string& candidate : candidates) {
        const bool is_path = candidate.find('/') != std::string::npos;
        const auto places = is_path ? std::vector{candidate} : loader_places(candidate);
        if (!places || (!may_be_loaded && is_loaded(candidate))) return std::nullopt;
        sighting.text += candidate + "\n";
        for (const std::string& place : *places) {
            struct stat status {};
            const bool is_there = stat(place.c_str(), &status) == 0;
            sighting.text +=
                fmt::format("  {}: {}\n", place, is_there ? describe(place, status) : "absent");
            if (is_there && !sighting.found) sighting.found = status;
        }
        if (sighting.found) break;
    }
    return sighting;
}

}  // namespace sagejit
