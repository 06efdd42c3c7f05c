// Finding NVRTC, compiling with it, and reading what it says.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "compile_cubin.h"
#include "cubin.h"
#include "error_of.h"
#include "nvrtc_library.h"
#include "obtain_cubin.h"
#include "ptxas_log.h"
#include "sagejit/generator/error.h"
#include "sagejit/generator/target.h"
#include "scoped_variable.h"
#include "temporary_directory.h"
#include "warning.h"

using namespace sagejit;
using Catch::Matchers::Contains;

namespace {

constexpr const char* kSource = R"(
extern "C" __global__ void __launch_bounds__(128) scale(float* x, float factor) {
    __shared__ float tile[128];
    tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = tile[127 - threadIdx.x] * factor;
}
extern "C" __global__ void __launch_bounds__(128) clear(float* x) { x[threadIdx.x] = 0; }
)";

// Tests that compile do nothing on a machine without NVRTC, and say so.
bool has_nvrtc() {
    try {
        probe_nvrtc();
        return true;
    } catch (const Error& error) {
        WARN("skipped: " << error.what());
        return false;
    }
}

std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("NVRTC tells its version to the build", "[nvrtc]") {
    if (!has_nvrtc()) return;
    const NvrtcInfo info = probe_nvrtc();
    CHECK(std::filesystem::path(info.path).is_absolute());
    CHECK(info.major >= 12);
    CHECK(info.build > 0);
    CHECK(info.version() == std::to_string(info.major) + "." + std::to_string(info.minor) + "." +
                                std::to_string(info.build));
    // NVRTC's own cache came, with the option to disable it, in 12.9.
    const bool caches = info.major > 12 || info.minor >= 9;
    CHECK((std::find(info.options.begin(), info.options.end(), "--no-cache") !=
           info.options.end()) == caches);
}

TEST_CASE("NVRTC compiles for every target", "[nvrtc]") {
    if (!has_nvrtc()) return;
    for (const Target& target : all_targets()) {
        INFO(target.name);
        CompiledCubin cubin;
        try {
            cubin = compile_cubin(kSource, target.name, "scale.cu");
        } catch (const Error& error) {
            // An NVRTC older than the GPU says so; a newer one must compile.
            REQUIRE(error.code() == ErrorCode::kUnsupportedTarget);
            REQUIRE(target.arch > 90);
            continue;
        }
        INFO(cubin.log);
        CHECK(cubin_arch(cubin.bytes) == target.arch);
        CHECK(cubin.milliseconds > 0);
        CHECK(cubin.warnings == "");
        REQUIRE(cubin.entries.size() == 2);
        CHECK(cubin.entries[0].symbol == "clear");
        CHECK(cubin.entries[1].symbol == "scale");
        CHECK(cubin.entries[1].registers > 0);
        CHECK(cubin.entries[1].static_shared_bytes == 128 * sizeof(float));
        CHECK(cubin.entries[1].spill_store_bytes == 0);
        CHECK(cubin.entries[1].stack_bytes == 0);
    }
}

TEST_CASE("compiling twice gives the same bytes, whatever the name", "[nvrtc]") {
    if (!has_nvrtc()) return;
    const CompiledCubin first = compile_cubin(kSource, "sm_80", "one.cu");
    const CompiledCubin second = compile_cubin(kSource, "sm_80", "two.cu");
    CHECK(first.bytes == second.bytes);
    CHECK(first.entries == second.entries);
}

TEST_CASE("spills are counted", "[nvrtc]") {
    if (!has_nvrtc()) return;
    const std::string source = R"(
extern "C" __global__ void __launch_bounds__(1024, 2) spill(float* x, int n) {
    float v[64];
    for (int i = 0; i < 64; ++i) v[i] = x[i * n + threadIdx.x];
    for (int j = 0; j < n; ++j) {
        for (int i = 0; i < 64; ++i) v[i] = v[i] * v[(i + 1) & 63] + x[j];
    }
    for (int i = 0; i < 64; ++i) x[i * n + threadIdx.x] = v[i];
}
)";
    const CompiledCubin cubin = compile_cubin(source, "sm_80", "spill.cu");
    REQUIRE(cubin.entries.size() == 1);
    CHECK(cubin.entries[0].registers == 32);
    CHECK(cubin.entries[0].spill_store_bytes > 0);
    CHECK(cubin.entries[0].spill_load_bytes > 0);
    CHECK(cubin.entries[0].stack_bytes > 0);
}

TEST_CASE("a warning of the compiler is told from information", "[nvrtc]") {
    if (!has_nvrtc()) return;
    const CompiledCubin cubin =
        compile_cubin("extern \"C\" __global__ void f() { int unused; }", "sm_80", "unused.cu");
    CHECK_THAT(cubin.warnings, Contains("unused"));
    CHECK_THAT(cubin.warnings, !Contains("ptxas info"));
}

TEST_CASE("a source NVRTC refuses gives the log, the options and the dump", "[nvrtc]") {
    if (!has_nvrtc()) return;
    const TemporaryDirectory directory;
    const std::string source = "#line 7 \"pv/fp16.cuh\"\nextern \"C\" __global__ void f() { g(); }";
    const Error error =
        error_of([&] { compile_cubin(source, "sm_80", "attention.cu", directory.path()); });
    CHECK(error.code() == ErrorCode::kCompileFailed);
    CHECK(error.where() == "attention.cu");
    CHECK_THAT(error.message(), Contains("pv/fp16.cuh(7): error: identifier \"g\" is undefined"));
    CHECK_THAT(error.message(), Contains("--gpu-architecture=sm_80 --std=c++17"));
    CHECK_THAT(error.message(), Contains(probe_nvrtc().version()));
    const auto dump = std::filesystem::directory_iterator(directory.path())->path();
    CHECK_THAT(error.message(), Contains(dump.string()));
    CHECK(read_file(dump) == source);
}

TEST_CASE("what ptxas refuses is an error too", "[nvrtc]") {
    if (!has_nvrtc()) return;
    const TemporaryDirectory directory;
    const Error error = error_of([&] {
        compile_cubin("extern \"C\" __global__ void f() { asm(\"nonsense;\"); }", "sm_80", "f.cu",
                      directory.path());
    });
    CHECK(error.code() == ErrorCode::kCompileFailed);
    CHECK_THAT(error.message(), Contains("ptxas"));
}

TEST_CASE("an architecture NVRTC does not know is not a broken source", "[nvrtc]") {
    if (!has_nvrtc()) return;
    const Error error = error_of([] { compile_cubin(kSource, "sm_42", "scale.cu"); });
    CHECK(error.code() == ErrorCode::kUnsupportedTarget);
    CHECK_THAT(error.message(), Contains("sm_80"));
}

TEST_CASE("a cubin is compiled once and then found", "[nvrtc]") {
    if (!has_nvrtc()) return;
    const TemporaryDirectory directory;
    PrepareOptions options;
    options.cache_directory = directory.path() / "cache";
    const auto obtain = [&options](const std::string& source = kSource) {
        return obtain_cubin(source, "0.1.0", "sm_80", "scale.cu", options);
    };
    const ObtainedCubin first = obtain();
    CHECK_FALSE(first.from_cache);
    CHECK(first.compile_ms > 0);
    const ObtainedCubin second = obtain();
    CHECK(second.from_cache);
    CHECK(second.compile_ms == 0);
    CHECK(second.cubin->bytes == first.cubin->bytes);
    CHECK(second.cubin->entries == first.cubin->entries);
    CHECK_FALSE(obtain(std::string(kSource) + "\n").from_cache);

    options.use_cache = false;
    CHECK_FALSE(obtain().from_cache);
}

TEST_CASE("without a usable directory cubins are kept in memory", "[nvrtc]") {
    if (!has_nvrtc()) return;
    const TemporaryDirectory directory;
    set_warning_sink([](const std::string&) {});
    std::filesystem::create_directory_symlink(directory.path(), directory.path() / "link");
    PrepareOptions options;
    options.cache_directory = directory.path() / "link";
    const auto obtain = [&] {
        return obtain_cubin(kSource, "0.1.0", "sm_80", "scale.cu", options);
    };
    CHECK_FALSE(obtain().from_cache);
    CHECK(obtain().from_cache);
    set_warning_sink({});
}

TEST_CASE("threads share one compilation, and its failure", "[nvrtc]") {
    if (!has_nvrtc()) return;
    const TemporaryDirectory directory;
    PrepareOptions options;
    options.cache_directory = directory.path() / "cache";
    const auto count_in_threads = [&](const std::string& source, auto outcome) {
        std::atomic<int> count = 0;
        std::vector<std::thread> threads;
        for (int i = 0; i < 8; ++i) {
            threads.emplace_back([&] {
                try {
                    const auto cubin = obtain_cubin(source, "0.1.0", "sm_80", "s.cu", options);
                    count += outcome(&cubin, nullptr);
                } catch (const Error& error) {
                    count += outcome(nullptr, &error);
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
        return count.load();
    };
    CHECK(count_in_threads(kSource, [](const ObtainedCubin* cubin, const Error*) {
              return cubin != nullptr && !cubin->from_cache ? 1 : 0;
          }) == 1);
    CHECK(count_in_threads("nonsense", [](const ObtainedCubin*, const Error* error) {
              return error != nullptr && error->code() == ErrorCode::kCompileFailed ? 1 : 0;
          }) == 8);
    // One compilation failed, so one source was written out; asking again finds the failure.
    const auto dumps = [&] {
        const std::filesystem::directory_iterator files(options.cache_directory / "tmp");
        return std::distance(begin(files), end(files));
    };
    CHECK(dumps() == 1);
    CHECK_THROWS_AS(obtain_cubin("nonsense", "0.1.0", "sm_80", "s.cu", options), Error);
    CHECK(dumps() == 1);
}

TEST_CASE("a missing NVRTC is named with the places searched", "[nvrtc]") {
    const ScopedVariable nvrtc("SAGEJIT_NVRTC", "/nowhere/libnvrtc.so.13");
    const Error error = error_of(probe_nvrtc);
    CHECK(error.code() == ErrorCode::kNoNvrtc);
    CHECK_THAT(error.message(), Contains("/nowhere/libnvrtc.so.13: no such file"));
    CHECK_THAT(error.fix(), Contains("SAGEJIT_NVRTC"));
}

TEST_CASE("a library that is not NVRTC is refused", "[nvrtc]") {
    const ScopedVariable nvrtc("SAGEJIT_NVRTC", "libm.so.6");
    const Error error = error_of(probe_nvrtc);
    CHECK(error.code() == ErrorCode::kNoNvrtc);
    CHECK_THAT(error.message(), Contains("has no function nvrtc"));
}

TEST_CASE("the log of ptxas gives each entry's resources", "[nvrtc]") {
    const auto entries = parse_ptxas_log(
        "ptxas info    : 0 bytes gmem\n"
        "ptxas info    : Compiling entry function 'b' for 'sm_90'\n"
        "ptxas info    : Function properties for b\n"
        "ptxas         .     880 bytes stack frame, 1124 bytes spill stores, 1120 bytes spill "
        "loads\n"
        "ptxas info    : Function properties for helper\n"
        "ptxas         .     16 bytes stack frame, 4 bytes spill stores, 8 bytes spill loads\n"
        "ptxas info    : Used 32 registers, used 0 barriers, 896 bytes cumulative stack size, "
        "364 bytes cmem[0]\n"
        "ptxas info    : Compiling entry function 'a' for 'sm_90'\n"
        "ptxas info    : Function properties for a\n"
        "ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
        "ptxas info    : Used 10 registers, used 1 barriers, 256 bytes smem\n");
    REQUIRE(entries.size() == 2);
    CHECK(entries[0] == CubinEntry{"a", 10, 0, 0, 0, 256});
    CHECK(entries[1] == CubinEntry{"b", 32, 896, 1128, 1128, 0});
}

TEST_CASE("advice on lost performance counts as a warning", "[nvrtc]") {
    const std::string advice =
        "ptxas info    : (C7510) Potential Performance Loss: wgmma.mma_async instructions are "
        "serialized due to insufficient register resources in function 'attention'\n";
    CHECK(warnings_in_log("ptxas info    : 0 bytes gmem\n\n" + advice) == advice);
    CHECK(warnings_in_log("ptxas info    : Used 10 registers\n") == "");
}
