// Libraries found at run time, and where they were looked for.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace sagejit {

// One place a library was looked for, and why it was not taken.
struct SearchedPlace {
    std::string place;    // what was given to the loader, or a directory pattern
    std::string problem;  // e.g. "no such file"
};

// "\n  place: problem" for each, for the end of an error message.
std::string to_text(std::span<const SearchedPlace> searched);

// A library opened by dlopen. It stays loaded until the process ends: the CUDA libraries start
// threads and register exit handlers, so unloading them is not safe.
class DynamicLibrary {
  public:
    DynamicLibrary() = default;

    // The first candidate that opens; a name without a slash is searched for by the loader.
    // Records each one that does not. False-like (see is_open) when none does.
    static DynamicLibrary open_first(std::span<const std::string> candidates,
                                     std::vector<SearchedPlace>& searched);

    bool is_open() const { return handle_ != nullptr; }
    // The file the loader mapped, with its directory.
    const std::string& path() const { return path_; }
    // The address of a symbol; null where the library has none of that name.
    void* symbol(const char* name) const;

  private:
    void* handle_ = nullptr;
    std::string path_;
};

}  // namespace sagejit
