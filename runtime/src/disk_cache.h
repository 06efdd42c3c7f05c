// Compiled kernels on disk, shared by all processes of a user.
#pragma once

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cache_entry.h"
#include "trusted_directory.h"

namespace sagejit {

struct CacheUsage {
    uint64_t entries = 0;
    uint64_t bytes = 0;
};

// One file an entry: <root>/v1/<arch>/<aa>/<digest>.cubin-entry, where aa begins the digest; files
// being written, set aside or dumped are in <root>/tmp. No locks: an entry appears whole or not at
// all, and every reader checks it. Nothing here throws: what cannot be used is told by one warning
// and the caller compiles.
// A file of the layout.
struct CacheFile {
    std::string arch;    // the first directory: "sm_90", or "host"
    std::string prefix;  // the second
    std::string name;    // "<digest>.cubin-entry"
    uint64_t bytes = 0;
    timespec used{};

    std::string path() const { return arch + "/" + prefix + "/" + name; }
};

class DiskCache {
  public:
    static constexpr uint64_t kDefaultLimit = uint64_t{1} << 30;  // bytes

    // Opens the directory, creating it with mode 0700. An empty path is no directory.
    explicit DiskCache(const std::filesystem::path& root, uint64_t limit_bytes = kDefaultLimit);

    // False where there is no directory, or it is a link, foreign, or writable by others.
    bool is_usable() const { return root_.is_open(); }
    // Why it is not; empty where it is.
    const std::string& problem() const { return problem_; }
    const std::filesystem::path& root() const { return root_.path(); }

    // The entry of that key. Damaged ones are set aside; unreadable ones are left alone.
    std::optional<CompiledCubin> find(const CacheKey& key) const;
    // Stores an entry unless there is one already, then trims the cache. True when the key has an
    // entry afterwards.
    bool publish(const CacheKey& key, const CompiledCubin& cubin) const;

    // A small file of the root that is no entry; empty where there is none that may be read.
    std::string note(const char* name) const;
    // Replaces it, at once and whole. Nothing is said where that fails: a note only saves time.
    void write_note(const char* name, const std::string& bytes) const;
    void remove_note(const char* name) const;
    static constexpr const char* kNvrtcNote = "nvrtc.json";  // known_nvrtc.h

    // The NVRTCs that made its entries of an architecture (toolkits.h).
    std::vector<NvrtcInfo> toolkits(const std::string& arch) const;

    // Where sources that failed to compile go: <root>/tmp, or empty where it cannot be used.
    std::filesystem::path dump_directory() const;
    CacheUsage usage() const;
    // True when a file can be made in it.
    bool is_writable() const;
    // Removes the least recently used entries down to 80 % of the limit where it is passed, and
    // temporary files older than an hour (dumped sources: a week).
    void trim() const;

    // For looking after a cache (cache_admin.h). All files below the layout's directory.
    std::vector<CacheFile> files() const;
    // The bytes of a file, whoever it is for; nullopt, with the reason, where it would not even be
    // read.
    std::optional<std::string> read(const CacheFile& file, std::string& problem) const;
    // True when it is gone.
    bool remove(const CacheFile& file) const;
    // Moves a file to tmp/.
    void set_aside(const CacheFile& file) const;
    // Removes temporary files, only those past their time unless all are asked for.
    void sweep_temporary_files(bool all) const;

  private:
    static constexpr const char* kLayout = "v1";
    static constexpr const char* kTemporary = "tmp";

    std::string write_and_link(const CacheKey& key, const std::string& bytes) const;
    void set_aside(const TrustedDirectory& directory, const std::string& name) const;
    TrustedDirectory entry_directory(const CacheKey& key, TrustedDirectory::Missing missing) const;

    TrustedDirectory root_;
    std::string problem_;
    uint64_t limit_bytes_;
};

}  // namespace sagejit
