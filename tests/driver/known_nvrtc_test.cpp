// A process that knows its NVRTC from a record: threads, children, and a record that is wrong.
#include "known_nvrtc.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "host/process.h"
#include "nvrtc_sighting.h"
#include "obtain_cubin.h"
#include "stubs.h"

using namespace sagejit;
using namespace sagejit::test;

namespace {

constexpr const char* kStored = "extern \"C\" __global__ void stored(float* x) {}";
constexpr const char* kNew = "extern \"C\" __global__ void fresh(float* x) {}";

std::filesystem::path cache_root() { return std::getenv("SAGEJIT_TEST_CACHE"); }

ObtainedCubin obtain(const std::string& source) {
    PrepareOptions options;
    options.cache_directory = cache_root();
    return obtain_cubin(source, "0.1.0", "sm_90", "source.cu", options);
}

// The cubins that eight threads get at the same time.
std::vector<ObtainedCubin> obtain_in_threads(const std::string& source) {
    std::vector<ObtainedCubin> cubins(8);
    std::vector<std::thread> threads;
    for (ObtainedCubin& cubin : cubins) {
        threads.emplace_back([&cubin, &source] { cubin = obtain(source); });
    }
    for (std::thread& thread : threads) thread.join();
    return cubins;
}

// Whether a check holds in a child of this process.
bool holds_in_child(const std::function<bool()>& check) {
    const pid_t child = fork();
    if (child == 0) _exit(check() ? 0 : 1);
    int status = -1;
    return waitpid(child, &status, 0) == child && status == 0;
}

// Runs one of the hidden cases below, in a process that has opened nothing.
void run_in_another_process(const std::string& name) {
    const host::ProcessResult result = host::run_process({"/proc/self/exe", name});
    INFO(result.output);
    CHECK(result.status == 0);
}

}  // namespace

TEST_CASE("threads and children use what is on record", "[.]") {
    for (const ObtainedCubin& each : obtain_in_threads(kStored)) {
        CHECK(each.from_cache);
        CHECK(each.nvrtc.version() == "13.99.1");
        CHECK(each.nvrtc.path == SAGEJIT_STUB_NVRTC);
    }
    CHECK_FALSE(nvrtc_is_open());
    // A child compiles, with an NVRTC of its own.
    CHECK(holds_in_child([] { return obtain(kStored).from_cache && !nvrtc_is_open(); }));
    CHECK(holds_in_child([] { return !obtain("// 1\n").from_cache && nvrtc_is_open(); }));
    CHECK_FALSE(nvrtc_is_open());
    int compiled = 0;
    for (const ObtainedCubin& each : obtain_in_threads(kNew)) compiled += each.from_cache ? 0 : 1;
    CHECK(compiled == 1);
    CHECK(nvrtc_is_open());
    CHECK(known_nvrtc(DiskCache(cache_root())) == nullptr);
    CHECK(holds_in_child([] { return obtain(kNew).from_cache; }));
}

TEST_CASE("a wrong record leads to no kernel of its own", "[.]") {
    const DiskCache cache(cache_root());
    REQUIRE(known_nvrtc(cache) != nullptr);
    CHECK(known_nvrtc(cache)->version() == "13.98.1");
    const ObtainedCubin made = obtain(kNew);
    CHECK_FALSE(made.from_cache);
    CHECK(made.nvrtc.version() == "13.99.1");
    CHECK(obtain(kStored).from_cache);  // now that NVRTC itself has told its version
    const auto records = decode_records(cache.note(DiskCache::kNvrtcNote));
    REQUIRE(records.size() == 1);
    CHECK(records[0].info.version() == "13.99.1");
}

TEST_CASE("a kernel on disk needs no NVRTC, and a new one the one there is", "[driver]") {
    const TemporaryDirectory directory;
    const ScopedVariable root("SAGEJIT_TEST_CACHE", (directory.path() / "cache").string());
    const CompilationLog log;
    CHECK_FALSE(obtain(kStored).from_cache);
    REQUIRE(nvrtc_api().record);
    run_in_another_process("threads and children use what is on record");
    CHECK(log.count() == 3);

    NvrtcRecord wrong = *nvrtc_api().record;
    wrong.info.minor = 98;
    wrong.builtins = checksum_of_search(*sight_builtins(wrong.info));
    const DiskCache cache(cache_root());
    cache.write_note(DiskCache::kNvrtcNote, encode_records(std::vector{wrong}));
    for (const CacheFile& file : cache.files()) {
        std::string problem;
        const auto entry = describe_entry(*cache.read(file, problem), problem);
        REQUIRE(entry);
        if (entry->key.text.find(kNew) != std::string::npos) cache.remove(file);
    }
    run_in_another_process("a wrong record leads to no kernel of its own");
    CHECK(log.count() == 4);
}
