// Looking after a cache directory: what is in it, whether it is whole, making it smaller.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "disk_cache.h"

namespace sagejit {

// One file of the cache.
struct CacheItem {
    std::string arch;  // "sm_90", or "host"
    std::string name;  // "<digest>.cubin-entry"
    uint64_t bytes = 0;
    int64_t used = 0;  // seconds since 1970

    // From the file's content, which is checked; empty for the host's libraries.
    std::string problem;               // why it would not be used
    std::string generator;             // what emitted the source
    std::string nvrtc;                 // what compiled it
    std::vector<std::string> entries;  // symbols
};

// All files, by architecture and name. Reads each one, and does not count as using it.
std::vector<CacheItem> list_cache(const DiskCache& cache);

struct PruneResult {
    uint64_t removed = 0, removed_bytes = 0;
    uint64_t kept = 0, kept_bytes = 0;
};

// Removes files that are not used since `older_than` seconds, then the least recently used ones
// until at most max_bytes are left, and temporary files past their time.
PruneResult prune_cache(const DiskCache& cache, uint64_t max_bytes,
                        std::optional<int64_t> older_than_seconds);

// Removes everything the cache has written, temporary files too. Files of others are left.
PruneResult clear_cache(const DiskCache& cache);

// Moves entries that would not be used to tmp/. Returns how many.
uint64_t quarantine_bad(const DiskCache& cache);

}  // namespace sagejit
