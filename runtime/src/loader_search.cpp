#include "loader_search.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/auxv.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <system_error>

namespace sagejit {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLoaderCache = "/etc/ld.so.cache";

// Below it are libraries for some processors only.
constexpr const char* kProcessorDirectory = "glibc-hwcaps";

// What glibc before 2.37 searches besides.
constexpr const char* kLegacyKinds[] = {"tls",    "haswell", "xeon_phi", "avx512_1",
                                        "x86_64", "aarch64", "atomics"};

// The loader's own list for the object that this function is in; nullopt where it gives none.
std::optional<std::vector<std::string>> loader_directories() {
#ifdef __GLIBC__
    Dl_info info{};
    link_map* self = nullptr;
    if (dladdr1(reinterpret_cast<const void*>(&loader_directories), &info,
                reinterpret_cast<void**>(&self), RTLD_DL_LINKMAP) == 0 ||
        self == nullptr) {
        return std::nullopt;
    }
    Dl_serinfo size{};
    if (dlinfo(self, RTLD_DI_SERINFOSIZE, &size) != 0) return std::nullopt;
    const std::unique_ptr<void, void (*)(void*)> memory(std::malloc(size.dls_size), std::free);
    auto* list = static_cast<Dl_serinfo*>(memory.get());
    if (list == nullptr) return std::nullopt;
    *list = size;
    if (dlinfo(self, RTLD_DI_SERINFO, list) != 0) return std::nullopt;
    std::vector<std::string> directories;
    for (unsigned i = 0; i < list->dls_cnt; ++i) {
        directories.emplace_back(list->dls_serpath[i].dls_name);
    }
    return directories;
#else
    return std::nullopt;
#endif
}

// False where a directory has, or may have, a library of that name for some processors only.
bool is_plain(const fs::path& directory, const std::string& name) {
    std::error_code error;
    if (!fs::is_directory(directory, error)) return true;
    for (const char* kind : kLegacyKinds) {
        if (fs::exists(directory / kind, error)) return false;
    }
    for (fs::directory_iterator it(directory / kProcessorDirectory, error), end;
         !error && it != end; it.increment(error)) {
        if (fs::exists(it->path() / name, error)) return false;
    }
    return true;
}

bool is_of_system(const std::string& directory) {
    return directory.starts_with("/lib") || directory.starts_with("/usr/lib");
}

std::string read_loader_cache() {
    std::ifstream file(kLoaderCache, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// The NUL-terminated text at an offset; empty where it is not inside.
std::string_view text_at(std::string_view bytes, size_t offset) {
    if (offset >= bytes.size()) return {};
    const std::string_view rest = bytes.substr(offset);
    const size_t end = rest.find('\0');
    return end == std::string_view::npos ? std::string_view() : rest.substr(0, end);
}

}  // namespace

std::vector<std::string> places_in_loader_cache(std::string_view cache, std::string_view name) {
    constexpr std::string_view kMagic = "glibc-ld.so.cache1.1";
    struct Header {
        char magic[20];
        uint32_t count;
        uint32_t unused[6];
    };
    struct Entry {
        int32_t flags;
        uint32_t name, path;  // offsets from the header
        uint32_t os_version;
        uint64_t processor;
    };
    static_assert(sizeof(Header) == 48 && sizeof(Entry) == 24);
    std::vector<std::string> places;
    // An older format may come before it in the same file.
    const size_t begin = cache.find(kMagic);
    if (begin == std::string_view::npos || cache.size() - begin < sizeof(Header)) return places;
    cache.remove_prefix(begin);
    Header header;
    std::memcpy(&header, cache.data(), sizeof header);
    for (uint64_t i = 0; i < header.count; ++i) {
        const uint64_t at = sizeof(Header) + i * sizeof(Entry);
        if (at + sizeof(Entry) > cache.size()) break;
        Entry entry;
        std::memcpy(&entry, cache.data() + at, sizeof entry);
        if (text_at(cache, entry.name) == name) places.emplace_back(text_at(cache, entry.path));
    }
    return places;
}

std::optional<std::vector<std::string>> loader_places(const std::string& name) {
    if (getauxval(AT_SECURE) != 0) return std::nullopt;  // it ignores some of its variables then
    const auto directories = loader_directories();
    if (!directories) return std::nullopt;
    std::vector<std::string> places, of_system;
    for (const std::string& directory : *directories) {
        if (!is_plain(directory, name)) return std::nullopt;
        (is_of_system(directory) ? of_system : places).push_back(fs::path(directory) / name);
    }
    for (std::string& place : places_in_loader_cache(read_loader_cache(), name)) {
        if (place.find(kProcessorDirectory) != std::string::npos) return std::nullopt;
        places.push_back(std::move(place));
    }
    places.insert(places.end(), of_system.begin(), of_system.end());
    return places;
}

bool is_loaded(const std::string& name) {
    void* const handle = dlopen(name.c_str(), RTLD_LAZY | RTLD_NOLOAD);
    if (handle == nullptr) return false;
    dlclose(handle);
    return true;
}

}  // namespace sagejit
