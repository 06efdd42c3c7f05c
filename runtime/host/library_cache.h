// Compiled host texts on disk: <root>/v1/host/<first two digits of the key>/<key>.so
//
// A library is code this process will run, so the cache only uses directories and files of this
// user that nobody else may write, and checks their content. The loader cannot: a library cut
// short ends the process.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "trusted_directory.h"

namespace sagejit::host {

class LibraryCache {
  public:
    // Opens the directory, creating it with mode 0700. Empty: nothing is kept. Warns once where
    // the directory cannot be used.
    explicit LibraryCache(const std::filesystem::path& root);

    // The library of a key, if there is an intact one. Removes a damaged one.
    std::optional<std::filesystem::path> find(const std::string& key) const;
    // Keeps a compiled library, all at once, and returns where. Returns nothing, and warns once,
    // where that fails.
    std::optional<std::filesystem::path> publish(const std::string& key,
                                                 const std::filesystem::path& library) const;
    // Drops what the loader refused.
    void remove(const std::string& key) const;

  private:
    TrustedDirectory directory_of(const std::string& key, TrustedDirectory::Missing missing) const;

    TrustedDirectory root_;
};

// The key of a text compiled by a command: 32 hex digits, XXH3-128.
std::string library_key(const std::string& compiler_version, const std::string& flags,
                        const std::string& text);

}  // namespace sagejit::host
