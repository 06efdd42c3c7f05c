#include "cache_directory.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace sagejit {
namespace {

constexpr const char* kName = "sagejit";

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

// $HOME, else what the user database says.
std::filesystem::path home_directory() {
    if (const std::string home = environment("HOME"); !home.empty()) return home;
    constexpr size_t kEnough = 16384;
    std::vector<char> buffer(kEnough);
    passwd entry{};
    passwd* found = nullptr;
    if (getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
        found == nullptr || found->pw_dir == nullptr) {
        return {};
    }
    return found->pw_dir;
}

}  // namespace

std::filesystem::path default_cache_directory() {
    if (const std::string named = environment("SAGEJIT_CACHE_DIR"); !named.empty()) return named;
    // The XDG base directory specification has relative paths ignored.
    const std::filesystem::path xdg = environment("XDG_CACHE_HOME");
    if (xdg.is_absolute()) return xdg / kName;
    const std::filesystem::path home = home_directory();
    return home.is_absolute() ? home / ".cache" / kName : std::filesystem::path();
}

}  // namespace sagejit
