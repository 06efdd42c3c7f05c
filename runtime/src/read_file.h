// Reading a file of a trusted directory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "trusted_directory.h"

namespace sagejit {

// What opening and reading a file came to. An error of the disk may pass, and says nothing about
// the file; bad content stays bad.
struct FileContent {
    enum State { kMissing, kUnreadable, kBad, kWhole };
    State state = kMissing;
    std::string problem;  // "a symbolic link"; an error of the system where it is unreadable
    std::string bytes;
    FileHandle file;
};

// Follows no link, waits for no pipe, and takes only files that the directory's owner rule allows
// and nobody else may write. at_most: bytes from the beginning that are wanted.
FileContent read_file(const TrustedDirectory& directory, const std::string& name,
                      size_t at_most = SIZE_MAX);

}  // namespace sagejit
