// The disk cache: what it stores, what it refuses, and what it survives.
#include "disk_cache.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "temporary_directory.h"
#include "warning.h"

using namespace sagejit;
namespace fs = std::filesystem;
using Catch::Matchers::Contains;

namespace {

// Collects what would be told to the user.
class CollectedWarnings {
  public:
    CollectedWarnings() {
        set_warning_sink([this](const std::string& text) { texts.push_back(text); });
    }
    ~CollectedWarnings() { set_warning_sink({}); }
    std::vector<std::string> texts;
};

// The smallest file that passes for a cubin: an ELF header with CUDA's machine and the
// architecture where ABI version 8 has it.
CompiledCubin fake_cubin(int arch, size_t bytes = 1000) {
    CompiledCubin cubin;
    cubin.bytes.assign(bytes, 0x5a);
    std::fill_n(cubin.bytes.begin(), 64, uint8_t{0});
    const std::array<uint8_t, 9> ident = {0x7f, 'E', 'L', 'F', 2, 1, 1, 0x41, 8};
    std::copy(ident.begin(), ident.end(), cubin.bytes.begin());
    cubin.bytes[18] = 190;                         // e_machine
    cubin.bytes[49] = static_cast<uint8_t>(arch);  // second byte of e_flags
    cubin.entries = {{"attention", 168, 16, 4, 8, 1024}, {"quantize", 40, 0, 0, 0, 0}};
    cubin.warnings = "a warning\n";
    return cubin;
}

CacheKey key_of(std::string_view source, std::string_view arch = "sm_90") {
    const std::vector<std::string> options = {"--std=c++17"};
    return make_cache_key(source, "0.1.0", arch, options, "13.0.88");
}

fs::path entry_path(const fs::path& root, const CacheKey& key) {
    return root / "v1" / key.arch / key.digest.substr(0, 2) / (key.digest + ".cubin-entry");
}

std::string read_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const fs::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

std::vector<fs::path> files_in(const fs::path& directory) {
    std::vector<fs::path> files;
    for (const auto& item : fs::directory_iterator(directory)) files.push_back(item.path());
    return files;
}

mode_t mode_of(const fs::path& path) {
    struct stat status {};
    REQUIRE(lstat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

}  // namespace

TEST_CASE("an entry comes back as it was stored", "[cache]") {
    const TemporaryDirectory directory;
    const CollectedWarnings warnings;
    const CacheKey key = key_of("source");
    const CompiledCubin cubin = fake_cubin(90);
    const DiskCache cache(directory.path() / "deep" / "sagejit");
    CHECK(cache.is_usable());
    CHECK(cache.is_writable());
    CHECK_FALSE(cache.find(key).has_value());
    REQUIRE(cache.publish(key, cubin));
    const auto found = cache.find(key);
    REQUIRE(found.has_value());
    CHECK(found->bytes == cubin.bytes);
    CHECK(found->entries == cubin.entries);
    CHECK(found->warnings == cubin.warnings);
    CHECK(found->milliseconds == 0);
    CHECK(cache.usage().entries == 1);
    CHECK(cache.usage().bytes == fs::file_size(entry_path(cache.root(), key)));
    CHECK(warnings.texts.empty());
}

TEST_CASE("files are the user's alone and nothing temporary stays", "[cache]") {
    const TemporaryDirectory directory;
    const fs::path root = directory.path() / "cache";
    const mode_t old_mask = umask(0);
    const CacheKey key = key_of("source");
    const DiskCache cache(root);
    REQUIRE(cache.publish(key, fake_cubin(90)));
    umask(old_mask);
    for (fs::path path = entry_path(root, key).parent_path(); path != directory.path();
         path = path.parent_path()) {
        CHECK(mode_of(path) == 0700);
    }
    CHECK(mode_of(entry_path(root, key)) == 0600);
    CHECK(files_in(root / "tmp").empty());
}

TEST_CASE("the key holds everything a cubin depends on", "[cache]") {
    const std::vector<std::string> options = {"--a", "--b"}, swapped = {"--b", "--a"};
    const auto digest = [](auto... parts) { return make_cache_key(parts...).digest; };
    const std::string base = digest("s", "0.1", "sm_90", options, "13.0.88");
    CHECK(base.size() == 32);
    CHECK(base == digest("s", "0.1", "sm_90", options, "13.0.88"));
    CHECK(base != digest("t", "0.1", "sm_90", options, "13.0.88"));
    CHECK(base != digest("s", "0.2", "sm_90", options, "13.0.88"));
    CHECK(base != digest("s", "0.1", "sm_90a", options, "13.0.88"));
    CHECK(base != digest("s", "0.1", "sm_90", swapped, "13.0.88"));
    CHECK(base != digest("s", "0.1", "sm_90", options, "13.0.89"));
}

TEST_CASE("damage anywhere in an entry is noticed, and the entry replaced", "[cache]") {
    const TemporaryDirectory directory;
    const CacheKey key = key_of("source");
    const DiskCache cache(directory.path());
    const fs::path path = entry_path(directory.path(), key);
    REQUIRE(cache.publish(key, fake_cubin(90)));
    const std::string good = read_file(path);

    std::vector<std::string> bad = {"", good.substr(0, 20), good.substr(0, good.size() - 1),
                                    good + "x", std::string(good.size(), '\0')};
    for (size_t at = 0; at < good.size(); at += 7) {
        bad.push_back(good);
        bad.back()[at] ^= 1;
    }
    // Lengths that overflow when added.
    bad.push_back(good);
    std::memset(bad.back().data() + 16, 0xff, 24);

    for (const std::string& bytes : bad) {
        const CollectedWarnings warnings;
        write_file(path, bytes);
        CHECK_FALSE(cache.find(key).has_value());
        CHECK_FALSE(fs::exists(path));
        CHECK(warnings.texts.size() == 1);
        REQUIRE(cache.publish(key, fake_cubin(90)));
        CHECK(read_file(path) == good);
    }
    CHECK(fs::exists(directory.path() / "tmp" / (key.digest + ".cubin-entry.bad")));
}

TEST_CASE("a whole entry in the wrong place is not loaded", "[cache]") {
    const TemporaryDirectory directory;
    const CollectedWarnings warnings;
    const DiskCache cache(directory.path());
    const CacheKey key = key_of("source"), other = key_of("other source");
    REQUIRE(cache.publish(key, fake_cubin(90)));

    SECTION("of another key") {
        fs::create_directories(entry_path(directory.path(), other).parent_path());
        fs::permissions(entry_path(directory.path(), other).parent_path(), fs::perms::owner_all);
        fs::copy(entry_path(directory.path(), key), entry_path(directory.path(), other));
        CHECK_FALSE(cache.find(other).has_value());
    }
    SECTION("of another architecture") {
        REQUIRE(cache.publish(other, fake_cubin(80)));
        CHECK_FALSE(cache.find(other).has_value());
    }
    SECTION("of something that is no cubin") {
        CompiledCubin text = fake_cubin(90);
        text.bytes[0] = '#';
        REQUIRE(cache.publish(other, text));
        CHECK_FALSE(cache.find(other).has_value());
    }
    CHECK(warnings.texts.size() == 1);
    CHECK(cache.find(key).has_value());
}

TEST_CASE("links and files others may write are not entries", "[cache]") {
    const TemporaryDirectory directory;
    const CollectedWarnings warnings;
    const DiskCache cache(directory.path());
    const CacheKey key = key_of("source");
    const fs::path path = entry_path(directory.path(), key);
    REQUIRE(cache.publish(key, fake_cubin(90)));

    SECTION("a symbolic link") {
        fs::rename(path, directory.path() / "elsewhere");
        fs::create_symlink(directory.path() / "elsewhere", path);
    }
    SECTION("a file anyone may write") {
        fs::permissions(path, fs::perms::others_write, fs::perm_options::add);
    }
    SECTION("a directory") {
        fs::remove(path);
        fs::create_directory(path);
    }
    SECTION("a pipe") {
        fs::remove(path);
        REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    }
    CHECK_FALSE(cache.find(key).has_value());
    CHECK(warnings.texts.size() == 1);
    CHECK(cache.publish(key, fake_cubin(90)));
    CHECK(cache.find(key).has_value());
}

TEST_CASE("a directory that is not the user's alone is refused", "[cache]") {
    const TemporaryDirectory directory;
    CollectedWarnings warnings;
    const fs::path root = directory.path() / "cache";
    fs::create_directory(root);
    std::string reason;
    SECTION("writable by others") {
        fs::permissions(root, fs::perms::all);
        reason = "may be written by others (mode 0777)";
    }
    SECTION("a symbolic link") {
        fs::create_directory(directory.path() / "target");
        fs::remove(root);
        fs::create_directory_symlink(directory.path() / "target", root);
        reason = "is a symbolic link";
    }
    SECTION("of somebody else") {
        const uid_t other = geteuid() + 1;
        if (chown(root.c_str(), other, -1) != 0) return;  // takes root
        reason = "belongs to user " + std::to_string(other);
    }
    SECTION("a file") {
        fs::remove(root);
        write_file(root, "");
        reason = "Not a directory";
    }
    const DiskCache cache(root / "");  // a trailing slash must not follow the link
    CHECK_FALSE(cache.is_usable());
    CHECK_FALSE(cache.publish(key_of("source"), fake_cubin(90)));
    CHECK_FALSE(cache.find(key_of("source")).has_value());
    CHECK(cache.dump_directory() == "");
    const DiskCache again(root);
    REQUIRE(warnings.texts.size() == 1);
    CHECK_THAT(warnings.texts[0], Contains(root.string() + " " + reason));
}

TEST_CASE("a part of the cache that is a link is ignored", "[cache]") {
    const TemporaryDirectory directory, target;
    CollectedWarnings warnings;
    fs::create_directory_symlink(target.path(), directory.path() / "v1");
    const DiskCache cache(directory.path());
    CHECK_FALSE(cache.find(key_of("source")).has_value());
    CHECK_FALSE(cache.publish(key_of("source"), fake_cubin(90)));
    CHECK(files_in(target.path()).empty());
    REQUIRE(warnings.texts.size() == 2);
    CHECK_THAT(warnings.texts[0], Contains("v1 is a symbolic link"));
}

TEST_CASE("a disk that takes nothing gives one warning, and entries are still found", "[cache]") {
    const TemporaryDirectory directory;
    const CacheKey key = key_of("source");
    REQUIRE(DiskCache(directory.path()).publish(key, fake_cubin(90)));
    // Run where the limit on file sizes, which also stops root, does not outlive the test.
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        const rlimit limit = {100, 100};
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(2);
        CollectedWarnings warnings;
        const DiskCache cache(directory.path());
        const bool stored = cache.publish(key_of("other"), fake_cubin(90)) ||
                            cache.publish(key_of("third"), fake_cubin(90));
        const bool ok = !stored && warnings.texts.size() == 1 && cache.find(key).has_value();
        _exit(ok ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(files_in(directory.path() / "tmp").empty());
}

TEST_CASE("a directory without write permission is read only", "[cache]") {
    if (geteuid() == 0) return;  // permissions do not bind root
    const TemporaryDirectory directory;
    CollectedWarnings warnings;
    const CacheKey key = key_of("source");
    REQUIRE(DiskCache(directory.path()).publish(key, fake_cubin(90)));
    fs::remove_all(directory.path() / "tmp");
    fs::permissions(directory.path(), fs::perms::owner_read | fs::perms::owner_exec);
    const DiskCache cache(directory.path());
    CHECK(cache.find(key).has_value());
    CHECK_FALSE(cache.is_writable());
    CHECK_FALSE(cache.publish(key_of("other"), fake_cubin(90)));
    CHECK_FALSE(cache.publish(key_of("third"), fake_cubin(90)));
    CHECK(warnings.texts.size() == 1);
    fs::permissions(directory.path(), fs::perms::owner_all);
}

TEST_CASE("many processes may publish one key", "[cache]") {
    const TemporaryDirectory directory;
    const CacheKey key = key_of("source");
    const CompiledCubin cubin = fake_cubin(90, 1 << 20);
    constexpr int kProcesses = 16;
    std::vector<pid_t> children;
    for (int i = 0; i < kProcesses; ++i) {
        children.push_back(fork());
        if (children.back() == 0) {
            bool ok = true;
            for (int round = 0; round < 4; ++round) {
                const DiskCache cache(directory.path() / "cache");
                const auto found = cache.find(key);
                ok = ok && (!found || found->bytes == cubin.bytes);
                ok = ok && cache.publish(key, cubin) && cache.find(key).has_value();
            }
            _exit(ok ? 0 : 1);
        }
    }
    for (const pid_t child : children) {
        int status = 0;
        REQUIRE(waitpid(child, &status, 0) == child);
        CHECK(status == 0);
    }
    CHECK(DiskCache(directory.path() / "cache").usage().entries == 1);
    CHECK(files_in(directory.path() / "cache" / "tmp").empty());
}

TEST_CASE("the least recently used entries go first", "[cache]") {
    const TemporaryDirectory directory;
    constexpr size_t kBytes = 100000;
    constexpr int kEntries = 9;
    const DiskCache cache(directory.path(), 10 * kBytes);
    const auto key = [](int i) { return key_of("source " + std::to_string(i)); };
    const auto age = [&](int i, int hours) {
        fs::last_write_time(entry_path(directory.path(), key(i)),
                            fs::file_time_type::clock::now() - std::chrono::hours(hours));
    };
    for (int i = 0; i < kEntries; ++i) {
        REQUIRE(cache.publish(key(i), fake_cubin(90, kBytes)));
        age(i, kEntries - i);
    }
    CHECK(cache.usage().entries == kEntries);
    REQUIRE(cache.find(key(0)).has_value());  // the oldest is used again
    REQUIRE(cache.publish(key(kEntries), fake_cubin(90, kBytes)));
    // Ten entries and their headers pass the limit; seven stay below 80 % of it.
    CHECK(cache.usage().entries == 7);
    CHECK(cache.usage().bytes <= 8 * kBytes);
    CHECK(cache.find(key(0)).has_value());
    for (int i = 1; i <= 3; ++i) CHECK_FALSE(cache.find(key(i)).has_value());
    CHECK(cache.find(key(kEntries)).has_value());
}

TEST_CASE("stale temporary files are swept", "[cache]") {
    const TemporaryDirectory directory;
    const DiskCache cache(directory.path());
    REQUIRE(cache.publish(key_of("source"), fake_cubin(90)));
    const auto make = [&](const char* name, int hours) {
        const fs::path path = directory.path() / "tmp" / name;
        write_file(path, "x");
        fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(hours));
        return path;
    };
    const fs::path stale = make("a.tmp", 2), fresh = make("b.tmp", 0), bad = make("c.bad", 2);
    const fs::path dump = make("d.cu", 2), old_dump = make("e.cu", 24 * 8);
    cache.trim();
    CHECK_FALSE(fs::exists(stale));
    CHECK(fs::exists(fresh));
    CHECK_FALSE(fs::exists(bad));
    CHECK(fs::exists(dump));
    CHECK_FALSE(fs::exists(old_dump));
}

TEST_CASE("no directory at all gives one warning", "[cache]") {
    CollectedWarnings warnings;
    const DiskCache cache{fs::path()};
    CHECK_FALSE(cache.is_usable());
    CHECK_FALSE(cache.publish(key_of("source"), fake_cubin(90)));
    CHECK(warnings.texts.size() == 1);
}
