// A read-only tier of the cache that an administrator, or the image of a container, provides.
#pragma once

#include <filesystem>
#include <optional>

#include "cache_entry.h"
#include "disk_cache.h"

namespace sagejit {

// A directory that share_cache has written: entries in the layout of the cache, and manifest.json,
// which pins the size and the checksum of each. It belongs to this user or to root, and nobody else
// may write it. Never written to. Nothing here throws: what cannot be used is told by one warning.
class SharedCache {
  public:
    // $SAGEJIT_SHARED_CACHE_DIR; empty where it is not set.
    static std::filesystem::path default_directory();

    // An empty path is no directory.
    explicit SharedCache(const std::filesystem::path& root);

    // The entry of that key, if the manifest lists it and it is what the manifest says.
    std::optional<CompiledCubin> find(const CacheKey& key) const;
    // The NVRTCs that made its entries of an architecture (toolkits.h).
    std::vector<NvrtcInfo> toolkits(const std::string& arch) const;

  private:
    TrustedDirectory root_;
};

// Writes every good entry of a cache to a new directory, with its manifest. Returns how many.
// Throws Error(kIo), also where the directory is there already.
size_t share_cache(const DiskCache& cache, const std::filesystem::path& directory);

}  // namespace sagejit
