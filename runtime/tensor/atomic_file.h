// Writing a file so that readers see the old one or the whole new one, never a part.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace sagejit {

// Writes the pieces one after another to a new file in the same directory, syncs it, and renames
// it over `path`; a symbolic link is followed. On failure the new file is removed and `path` is as
// before. Throws Error(kIo) with the system's reason, and when `path` is a directory or a device.
void write_file_atomically(const std::filesystem::path& path,
                           std::span<const std::span<const std::byte>> pieces);

}  // namespace sagejit
