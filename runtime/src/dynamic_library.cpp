#include "dynamic_library.h"

#include <dlfcn.h>
#include <link.h>

#include <filesystem>
#include <system_error>

namespace sagejit {
namespace {

bool is_path(const std::string& name) { return name.find('/') != std::string::npos; }

// The file behind an open handle; the name it was opened by where the loader does not say.
std::string mapped_path(void* handle, const std::string& name) {
    link_map* map = nullptr;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || map == nullptr || map->l_name == nullptr ||
        map->l_name[0] == '\0') {
        return name;
    }
    return map->l_name;
}

}  // namespace

std::string to_text(std::span<const SearchedPlace> searched) {
    std::string text;
    for (const SearchedPlace& place : searched) {
        text += "\n  " + place.place + ": " + place.problem;
    }
    return text;
}

DynamicLibrary DynamicLibrary::open_first(std::span<const std::string> candidates,
                                          std::vector<SearchedPlace>& searched) {
    for (const std::string& candidate : candidates) {
        std::error_code error;
        if (is_path(candidate) && !std::filesystem::exists(candidate, error)) {
            searched.push_back({candidate, "no such file"});
            continue;
        }
        void* handle = dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (handle == nullptr) {
            const char* problem = dlerror();
            searched.push_back({is_path(candidate) ? candidate : candidate + " (loader path)",
                                problem != nullptr ? problem : "cannot be opened"});
            continue;
        }
        DynamicLibrary library;
        library.handle_ = handle;
        library.path_ = mapped_path(handle, candidate);
        return library;
    }
    return {};
}

void* DynamicLibrary::symbol(const char* name) const { return dlsym(handle_, name); }

}  // namespace sagejit
