// PreparePolicy::kCacheOnly: kernels from the cache, in a process that never opens NVRTC.
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "disk_cache.h"
#include "host/process.h"
#include "problem.h"
#include "shared_cache.h"
#include "stub.h"
#include "stubs.h"
#include "unit/error_of.h"

using namespace sagejit;
using namespace sagejit::test;
using Catch::Matchers::Contains;

namespace {

PrepareOptions options_in(const std::filesystem::path& cache, PreparePolicy policy) {
    PrepareOptions options;
    options.cache_directory = cache;
    options.policy = policy;
    return options;
}

// Whether a file of that name is mapped into this process.
bool has_opened(const std::string& name) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        if (line.find(name) != std::string::npos) return true;
    }
    return false;
}

}  // namespace

// For the test below: in a process of its own, which has compiled nothing.
TEST_CASE("take a kernel from the cache", "[.]") {
    const char* cache = std::getenv("SAGEJIT_TEST_CACHE");
    REQUIRE(cache != nullptr);
    const Device gpu = Device::cuda(0);
    std::string text;
    try {
        PrepareOptions options = options_in(cache, PreparePolicy::kCacheOnly);
        options.use_tuning = false;
        const Kernel kernel = prepare(small_spec(), gpu, options);
        DeviceProblem(gpu, kernel.plan()).launch(kernel);
        text = kernel.report().from_cache ? "from the cache" : "from elsewhere";
    } catch (const Error& error) {
        text = std::string(to_string(error.code())) + ": " + error.what();
    }
    // The stub's, or the machine's.
    text += has_opened("libnvrtc") ? ", with NVRTC" : ", without NVRTC";
    std::printf("outcome: %s\n", text.c_str());
}

namespace {

std::string outcome_in_another_process(const std::filesystem::path& cache) {
    const ScopedVariable named("SAGEJIT_TEST_CACHE", cache.string());
    const host::ProcessResult result =
        host::run_process({"/proc/self/exe", "take a kernel from the cache"});
    INFO(result.output);
    REQUIRE(result.status == 0);
    const size_t begin = result.output.find("outcome: ");
    REQUIRE(begin != std::string::npos);
    return result.output.substr(begin);
}

}  // namespace

TEST_CASE("cache_only takes what any NVRTC has made, and opens none", "[driver][gpu]") {
    need_gpus(1);
    constexpr const char* kFound = "from the cache, without NVRTC";
    constexpr const char* kNotFound = "outcome: not_built";
    const Device gpu = Device::cuda(0);
    const TemporaryDirectory directory;
    const std::filesystem::path cache = directory.path() / "cache";
    // Nothing there yet, and NVRTC stays closed all the same.
    CHECK_THAT(outcome_in_another_process(cache), Contains("not_built") && Contains("cache_only") &&
                                                      Contains("holds no kernel of this source") &&
                                                      Contains("without NVRTC"));
    PrepareOptions options = options_in(cache, PreparePolicy::kJit);
    options.use_tuning = false;
    CHECK_FALSE(prepare(small_spec(), gpu, options).report().from_cache);
    CHECK_THAT(outcome_in_another_process(cache), Contains(kFound));

    // Flags in the environment are part of what is asked.
    {
        const ScopedVariable flags("NVRTC_APPEND_FLAGS", "-G");
        CHECK_THAT(outcome_in_another_process(cache), Contains(kNotFound));
    }
    // A shared cache serves as well.
    const std::filesystem::path shared = directory.path() / "shared",
                                empty = directory.path() / "e";
    REQUIRE(share_cache(DiskCache(cache), shared) == 1);
    CHECK_THAT(outcome_in_another_process(empty), Contains(kNotFound));
    {
        const ScopedVariable named("SAGEJIT_SHARED_CACHE_DIR", shared.string());
        CHECK_THAT(outcome_in_another_process(empty), Contains(kFound));
    }
    // A damaged entry is none.
    for (const CacheFile& file : DiskCache(cache).files()) {
        std::filesystem::resize_file(cache / "v1" / file.path(), file.bytes - 1);
    }
    CHECK_THAT(outcome_in_another_process(cache), Contains(kNotFound));
}

TEST_CASE("cache_only takes the newest of what several NVRTCs have made", "[driver]") {
    const Device gpu = Device::cuda(0);
    const TemporaryDirectory directory;
    const DiskCache cache(directory.path());
    const std::string arch(gpu.target_for(small_spec()).name);
    PrepareOptions options = options_in(directory.path(), PreparePolicy::kJit);
    options.use_tuning = false;
    prepare(small_spec(), gpu, options);
    REQUIRE(cache.toolkits(arch).size() == 1);
    const NvrtcInfo stub = cache.toolkits(arch).front();
    CHECK(stub.version() == "13.99.1");
    CHECK(stub.options == std::vector<std::string>{"--no-cache", "--frandom-seed=sagejit"});
    CHECK(cache.toolkits("sm_70").empty());

    // Entries as other versions would have left them.
    std::string problem;
    const auto bytes = cache.read(cache.files().front(), problem);
    REQUIRE(bytes);
    const auto entry = describe_entry(*bytes, problem);
    REQUIRE(entry);
    for (const char* version : {"13.100.0", "12.4.131", "nonsense"}) {
        CHECK(cache.publish(
            make_cache_key("another source", "0.1.0", arch, compile_options({}, arch), version),
            entry->cubin));
    }
    std::vector<std::string> versions;
    for (const NvrtcInfo& info : cache.toolkits(arch)) versions.push_back(info.version());
    CHECK(versions == std::vector<std::string>{"13.100.0", "13.99.1", "12.4.131"});
}
