// Which file dlopen would take, and what it is, seen without opening it as a library.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <span>
#include <string>

namespace sagejit {

// Two sightings with the same text: dlopen of the same candidates has the same outcome.
struct LibrarySighting {
    // Every file tried for each candidate, up to the first candidate that has one, and what each
    // is: absent, or its size, times, inode and a checksum of its first and last page. Also the
    // variables that steer the loader.
    std::string text;
    // Of the first file that is there.
    std::optional<struct stat> found;

    // Whether that file is `path`, and has been as it is for two seconds: a change within the
    // granularity of a file system's clock would not show.
    bool is_settled_at(const std::string& path) const;
};

// candidates: as for DynamicLibrary::open_first. may_be_loaded: whether it does not matter that one
// of them is in the process already. nullopt where it cannot be told which one dlopen would take.
std::optional<LibrarySighting> sight_library(std::span<const std::string> candidates,
                                             bool may_be_loaded);

}  // namespace sagejit
