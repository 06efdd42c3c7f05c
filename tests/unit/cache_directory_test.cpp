// Where compiled kernels are kept by default.
#include "cache_directory.h"

#include <catch2/catch.hpp>
#include <optional>

#include "scoped_variable.h"

using namespace sagejit;

TEST_CASE("the default directory follows the environment", "[cache]") {
    const ScopedVariable home("HOME", "/home/ada");
    const ScopedVariable xdg("XDG_CACHE_HOME", std::nullopt);
    const ScopedVariable own("SAGEJIT_CACHE_DIR", std::nullopt);
    CHECK(default_cache_directory() == "/home/ada/.cache/sagejit");
    {
        const ScopedVariable set("XDG_CACHE_HOME", "/var/ada");
        CHECK(default_cache_directory() == "/var/ada/sagejit");
        const ScopedVariable named("SAGEJIT_CACHE_DIR", "/scratch/kernels");
        CHECK(default_cache_directory() == "/scratch/kernels");
    }
    const ScopedVariable relative("XDG_CACHE_HOME", "var");
    CHECK(default_cache_directory() == "/home/ada/.cache/sagejit");
}
