// Keeping the cache small: the least recently used entries and stale temporary files go.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
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

// One file of the cache.
struct Entry {
    timespec used;
    uint64_t bytes;
    std::string path;  // below the directory of the layout
};

std::vector<Entry> list_entries(const TrustedDirectory& layout) {
    std::vector<Entry> entries;
    if (!layout.is_open()) return entries;
    layout.for_each([&](const std::string& arch, const struct stat&) {
        const TrustedDirectory arch_directory = layout.open_child(arch, Missing::kRefuse);
        if (!arch_directory.is_open()) return;
        arch_directory.for_each([&](const std::string& prefix, const struct stat&) {
            const TrustedDirectory directory = arch_directory.open_child(prefix, Missing::kRefuse);
            if (!directory.is_open()) return;
            directory.for_each([&](const std::string& name, const struct stat& status) {
                if (!S_ISREG(status.st_mode)) return;
                entries.push_back({status.st_mtim, static_cast<uint64_t>(status.st_size),
                                   arch + "/" + prefix + "/" + name});
            });
        });
    });
    return entries;
}

uint64_t total_bytes(const std::vector<Entry>& entries) {
    uint64_t total = 0;
    for (const Entry& entry : entries) total += entry.bytes;
    return total;
}

}  // namespace

CacheUsage DiskCache::usage() const {
    const std::vector<Entry> entries = list_entries(root_.open_child(kLayout, Missing::kRefuse));
    return {entries.size(), total_bytes(entries)};
}

void DiskCache::trim() const {
    sweep_temporary_files();
    const TrustedDirectory layout = root_.open_child(kLayout, Missing::kRefuse);
    std::vector<Entry> entries = list_entries(layout);
    uint64_t total = total_bytes(entries);
    if (total <= limit_bytes_) return;
    const uint64_t goal = limit_bytes_ / 5 * 4;
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
        return std::tie(a.used.tv_sec, a.used.tv_nsec, a.path) <
               std::tie(b.used.tv_sec, b.used.tv_nsec, b.path);
    });
    for (const Entry& entry : entries) {
        if (total <= goal) return;
        // Gone already, or not to be removed: either way it is not in this process's hands.
        unlinkat(layout.descriptor(), entry.path.c_str(), 0);
        total -= entry.bytes;
    }
}

void DiskCache::sweep_temporary_files() const {
    const TrustedDirectory temporary = root_.open_child(kTemporary, Missing::kRefuse);
    if (!temporary.is_open()) return;
    const time_t now = time(nullptr);
    temporary.for_each([&](const std::string& name, const struct stat& status) {
        const time_t keep = name.ends_with(".cu") ? kDumpSeconds : kTemporarySeconds;
        if (!S_ISDIR(status.st_mode) && status.st_mtim.tv_sec + keep < now) {
            unlinkat(temporary.descriptor(), name.c_str(), 0);
        }
    });
}

}  // namespace sagejit
