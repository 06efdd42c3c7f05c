// Where the dynamic loader looks for libraries, asked without loading any.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sagejit {

// The files that dlopen of a name without a slash tries, called from this library: those of
// LD_LIBRARY_PATH and RUNPATH, of the loader's cache, and of the system's directories. In the order
// it takes them, but for the cache, which comes before directories below /lib and /usr/lib. nullopt
// where there may be one for some processors only (glibc-hwcaps and what was before it), with a C
// library other than glibc, and in a set-user-ID program.
std::optional<std::vector<std::string>> loader_places(const std::string& name);

// The files /etc/ld.so.cache has for a name, in its order. Believes none of the bytes; what is no
// cache holds nothing.
std::vector<std::string> places_in_loader_cache(std::string_view cache, std::string_view name);

// True where a library of that name or file is in the process already: dlopen gives that one, and
// not what lies on the disk.
bool is_loaded(const std::string& name);

}  // namespace sagejit
