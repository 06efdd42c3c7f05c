// Keeping the cache small: the least recently used entries and stale temporary files go.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <string>
#include <tuple>
#include <vector>

#include "disk_cache.h"

namespace sagejit {
namespace {

using Missing = TrustedDirectory::Missing;

constexpr time_t kTemporarySeconds = 60 * 60;
constexpr time_t kDumpSeconds = 7 * 24 * 60 * 60;

uint64_t total_bytes(const std::vector<CacheFile>& files) {
    uint64_t total = 0;
    for (const CacheFile& file : files) total += file.bytes;
    return total;
}

}  // namespace

std::vector<CacheFile> DiskCache::files() const {
    std::vector<CacheFile> files;
    const TrustedDirectory layout = root_.open_child(kLayout, Missing::kRefuse);
    if (!layout.is_open()) return files;
    layout.for_each([&](const std::string& arch, const struct stat&) {
        const TrustedDirectory arch_directory = layout.open_child(arch, Missing::kRefuse);
        if (!arch_directory.is_open()) return;
        arch_directory.for_each([&](const std::string& prefix, const struct stat&) {
            const TrustedDirectory directory = arch_directory.open_child(prefix, Missing::kRefuse);
            if (!directory.is_open()) return;
            directory.for_each([&](const std::string& name, const struct stat& status) {
                if (!S_ISREG(status.st_mode)) return;
                files.push_back(
                    {arch, prefix, name, static_cast<uint64_t>(status.st_size), status.st_mtim});
            });
        });
    });
    return files;
}

bool DiskCache::remove(const CacheFile& file) const {
    const TrustedDirectory layout = root_.open_child(kLayout, Missing::kRefuse);
    return layout.is_open() &&
           (unlinkat(layout.descriptor(), file.path().c_str(), 0) == 0 || errno == ENOENT);
}

void DiskCache::set_aside(const CacheFile& file) const {
    const TrustedDirectory directory = root_.open_child(kLayout, Missing::kRefuse)
                                           .open_child(file.arch, Missing::kRefuse)
                                           .open_child(file.prefix, Missing::kRefuse);
    if (directory.is_open()) set_aside(directory, file.name);
}

CacheUsage DiskCache::usage() const {
    const std::vector<CacheFile> all = files();
    return {all.size(), total_bytes(all)};
}

void DiskCache::trim() const {
    sweep_temporary_files(/*all=*/false);
    std::vector<CacheFile> all = files();
    uint64_t total = total_bytes(all);
    if (total <= limit_bytes_) return;
    const uint64_t goal = limit_bytes_ / 5 * 4;
    std::sort(all.begin(), all.end(), [](const CacheFile& a, const CacheFile& b) {
        return std::tuple(a.used.tv_sec, a.used.tv_nsec, a.path()) <
               std::tuple(b.used.tv_sec, b.used.tv_nsec, b.path());
    });
    for (const CacheFile& file : all) {
        if (total <= goal) return;
        // Gone already, or not to be removed: either way it is not in this process's hands.
        remove(file);
        total -= file.bytes;
    }
}

void DiskCache::sweep_temporary_files(bool all) const {
    const TrustedDirectory temporary = root_.open_child(kTemporary, Missing::kRefuse);
    if (!temporary.is_open()) return;
    const time_t now = time(nullptr);
    temporary.for_each([&](const std::string& name, const struct stat& status) {
        const time_t keep = name.ends_with(".cu") ? kDumpSeconds : kTemporarySeconds;
        if (!S_ISDIR(status.st_mode) && (all || status.st_mtim.tv_sec + keep < now)) {
            unlinkat(temporary.descriptor(), name.c_str(), 0);
        }
    });
}

}  // namespace sagejit
