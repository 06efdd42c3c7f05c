#include "cache_admin.h"

#include <algorithm>
#include <ctime>
#include <tuple>

namespace sagejit {
namespace {

constexpr std::string_view kEntrySuffix = ".cubin-entry";

// Fills in what the content of an entry tells.
void examine(const DiskCache& cache, const CacheFile& file, CacheItem& item) {
    if (!file.name.ends_with(kEntrySuffix)) return;  // a library of the host device
    const std::optional<std::string> bytes = cache.read(file, item.problem);
    if (!bytes) return;
    const auto entry = describe_entry(*bytes, item.problem);
    if (!entry) return;
    item.generator = entry->generator;
    item.nvrtc = entry->nvrtc;
    for (const CubinEntry& each : entry->cubin.entries) item.entries.push_back(each.symbol);
    if (file.name != entry->key.digest + std::string(kEntrySuffix) ||
        file.prefix != entry->key.digest.substr(0, 2) || file.arch != entry->key.arch) {
        item.problem = "of another key than its name says";
    }
}

std::vector<CacheFile> sorted_files(const DiskCache& cache) {
    std::vector<CacheFile> files = cache.files();
    std::sort(files.begin(), files.end(), [](const CacheFile& a, const CacheFile& b) {
        return std::tie(a.arch, a.name) < std::tie(b.arch, b.name);
    });
    return files;
}

// Removes from the front of `files` while `wanted` says so.
template <typename Wanted>
PruneResult remove_while(const DiskCache& cache, const std::vector<CacheFile>& files,
                         Wanted wanted) {
    PruneResult result;
    for (const CacheFile& file : files) {
        result.kept += 1;
        result.kept_bytes += file.bytes;
    }
    for (const CacheFile& file : files) {
        if (!wanted(file, result)) continue;
        if (!cache.remove(file)) continue;
        result.removed += 1;
        result.removed_bytes += file.bytes;
        result.kept -= 1;
        result.kept_bytes -= file.bytes;
    }
    return result;
}

}  // namespace

std::vector<CacheItem> list_cache(const DiskCache& cache) {
    std::vector<CacheItem> items;
    for (const CacheFile& file : sorted_files(cache)) {
        CacheItem& item = items.emplace_back();
        item.arch = file.arch;
        item.name = file.name;
        item.bytes = file.bytes;
        item.used = file.used.tv_sec;
        examine(cache, file, item);
    }
    return items;
}

PruneResult prune_cache(const DiskCache& cache, uint64_t max_bytes,
                        std::optional<int64_t> older_than_seconds) {
    cache.sweep_temporary_files(/*all=*/false);
    std::vector<CacheFile> files = cache.files();
    std::sort(files.begin(), files.end(), [](const CacheFile& a, const CacheFile& b) {
        return std::tie(a.used.tv_sec, a.used.tv_nsec) < std::tie(b.used.tv_sec, b.used.tv_nsec);
    });
    const int64_t now = time(nullptr);
    return remove_while(cache, files, [&](const CacheFile& file, const PruneResult& result) {
        const bool is_old = older_than_seconds && now - file.used.tv_sec > *older_than_seconds;
        return is_old || result.kept_bytes > max_bytes;
    });
}

PruneResult clear_cache(const DiskCache& cache) {
    cache.sweep_temporary_files(/*all=*/true);
    cache.remove_note(DiskCache::kNvrtcNote);
    return remove_while(cache, cache.files(),
                        [](const CacheFile&, const PruneResult&) { return true; });
}

uint64_t quarantine_bad(const DiskCache& cache) {
    uint64_t count = 0;
    for (const CacheFile& file : cache.files()) {
        CacheItem item;
        examine(cache, file, item);
        if (item.problem.empty()) continue;
        cache.set_aside(file);
        ++count;
    }
    return count;
}

}  // namespace sagejit
