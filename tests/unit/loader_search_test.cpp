// Where the loader looks, and what is seen there without loading anything.
#include "loader_search.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "dynamic_library.h"
#include "library_sighting.h"
#include "scoped_variable.h"
#include "temporary_directory.h"

using namespace sagejit;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

constexpr const char* kAbsent = "libsagejit-is-nowhere.so.9";

void put(std::string& bytes, size_t at, uint32_t value) {
    for (int i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
}

// A cache of the loader as ldconfig writes it: name and path of each entry.
std::string loader_cache(const std::vector<std::array<std::string, 2>>& entries) {
    std::string bytes = "glibc-ld.so.cache1.1";
    bytes.resize(48 + 24 * entries.size());
    put(bytes, 20, static_cast<uint32_t>(entries.size()));
    for (size_t i = 0; i < entries.size(); ++i) {
        for (size_t part = 0; part < 2; ++part) {
            put(bytes, 48 + 24 * i + 4 + 4 * part, static_cast<uint32_t>(bytes.size()));
            bytes += entries[i][part] + '\0';
        }
    }
    return bytes;
}

void write(const fs::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

// A file that has been as it is for long.
fs::path old_file() {
    std::vector<SearchedPlace> searched;
    return DynamicLibrary::open_first(std::vector<std::string>{"libm.so.6"}, searched).path();
}

std::string text_of(const std::vector<std::string>& candidates) {
    const auto sighting = sight_library(candidates, /*may_be_loaded=*/false);
    REQUIRE(sighting);
    return sighting->text;
}

}  // namespace

TEST_CASE("the loader's cache tells the paths of a name", "[loader]") {
    const std::string cache = loader_cache({{"liba.so.1", "/one/liba.so.1"},
                                            {"libb.so.1", "/one/libb.so.1"},
                                            {"liba.so.1", "/two/liba.so.1"}});
    const std::vector<std::string> both = {"/one/liba.so.1", "/two/liba.so.1"};
    CHECK(places_in_loader_cache(cache, "liba.so.1") == both);
    CHECK(places_in_loader_cache(cache, "liba.so").empty());
    // After one of the older format, from where its own offsets count.
    CHECK(places_in_loader_cache("ld.so-1.7.0" + std::string(37, '\0') + cache, "liba.so.1") ==
          both);
}

TEST_CASE("a damaged cache of the loader is read without harm", "[loader]") {
    const std::string cache = loader_cache({{"liba.so.1", "/one/liba.so.1"}});
    for (size_t size = 0; size < cache.size(); ++size) {
        for (const std::string& place :
             places_in_loader_cache(cache.substr(0, size), "liba.so.1")) {
            CHECK(place.empty());  // its name is whole, its path is not
        }
    }
    std::string many = cache, outside = cache;
    put(many, 20, UINT32_MAX);
    CHECK(places_in_loader_cache(many, "liba.so.1").front() == "/one/liba.so.1");
    put(outside, 48 + 8, UINT32_MAX);
    CHECK(places_in_loader_cache(outside, "liba.so.1") == std::vector<std::string>{""});
}

TEST_CASE("the loader takes the first place that is there", "[loader]") {
    const auto places = loader_places("libm.so.6");
    REQUIRE(places);
    const auto first = std::find_if(places->begin(), places->end(),
                                    [](const std::string& place) { return fs::exists(place); });
    REQUIRE(first != places->end());
    std::vector<SearchedPlace> searched;
    const std::vector<std::string> names = {"libm.so.6"};
    const DynamicLibrary library = DynamicLibrary::open_first(names, searched);
    REQUIRE(library.is_open());
    CHECK(fs::equivalent(library.path(), *first));
    CHECK(is_loaded("libm.so.6"));
    CHECK_FALSE(is_loaded(kAbsent));
    CHECK_FALSE(sight_library(names, /*may_be_loaded=*/false));
    CHECK(sight_library(names, /*may_be_loaded=*/true));
}

TEST_CASE("an audit module makes the loader's answer uncertain", "[loader]") {
    const ScopedVariable audit("LD_AUDIT", "libaudit.so");
    CHECK_FALSE(sight_library(std::vector<std::string>{kAbsent}, false));
    CHECK_FALSE(sight_library(std::vector<std::string>{"/not/there.so"}, false));
}

TEST_CASE("a sighting changes with what it depends on", "[loader]") {
    const TemporaryDirectory directory;
    const std::string first = directory.path() / "first.so", second = directory.path() / "second";
    write(second, "0123456789");
    const std::string before = text_of({kAbsent, first, second, "/not/looked/at.so"});
    CHECK(text_of({kAbsent, first, second}) == before);
    CHECK_THAT(before, Contains("/usr/lib/" + std::string(kAbsent) + ": absent") &&
                           Contains(first + ": absent") && Contains(second + ": 10 bytes"));
    CHECK(text_of({first, kAbsent, second}) != before);
    {
        const ScopedVariable preload("LD_PRELOAD", "libhooks.so");
        CHECK(text_of({kAbsent, first, second}) != before);
    }
    // The same size and modification time.
    struct stat status {};
    REQUIRE(stat(second.c_str(), &status) == 0);
    write(second, "0123456780");
    const std::array times = {status.st_atim, status.st_mtim};
    REQUIRE(utimensat(AT_FDCWD, second.c_str(), times.data(), 0) == 0);
    const std::string changed = text_of({kAbsent, first, second});
    CHECK(changed != before);
    write(first, "");
    const std::string appeared = text_of({kAbsent, first, second});
    CHECK_THAT(appeared, Contains(first + ": 0 bytes") && !Contains(second));
    fs::remove(first);
    CHECK(text_of({kAbsent, first, second}) == changed);
    fs::create_directory(first);
    CHECK_THAT(text_of({first}), Contains(": no file"));
}

TEST_CASE("only a file that has rested is settled", "[loader]") {
    const TemporaryDirectory directory;
    const std::string file = directory.path() / "new", link = directory.path() / "link",
                      other = directory.path() / "other";
    write(file, "new");
    fs::create_symlink(old_file(), link);
    const auto sight = [](const std::string& path) {
        return *sight_library(std::vector{path}, /*may_be_loaded=*/true);
    };
    CHECK_FALSE(sight(file).is_settled_at(file));
    CHECK(sight(link).is_settled_at(link));
    CHECK(sight(link).is_settled_at(old_file()));
    CHECK_FALSE(sight(link).is_settled_at(file));
    CHECK_FALSE(sight(link).is_settled_at(other));
    CHECK_FALSE(sight(other).is_settled_at(other));
}
