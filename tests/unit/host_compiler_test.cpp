// Finding a compiler for host texts, what it says, and the cache of what it made.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "error_of.h"
#include "executor.h"
#include "host/compiler.h"
#include "host/module.h"
#include "host/process.h"
#include "host_kernel.h"
#include "scoped_variable.h"
#include "temporary_directory.h"
#include "warning.h"

using namespace sagejit;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

std::string answer_text(int answer) {
    return host_text(
        "extern \"C\" void answer(Call call) {\n"
        "    if (host_api->thread_index() == 0) *static_cast<u32*>(call.o.data) = " +
        std::to_string(answer) + ";\n}");
}

// Launches steps of any kind.
void run(const Executor& executor, std::span<const LaunchStep> steps, const abi::Call& call) {
    std::vector<ReadyStep> ready;
    for (const LaunchStep& step : steps) ready.push_back(executor.make_ready(step, ready.empty()));
    executor.run(ready, call);
}

uint32_t answer_of(const host::HostModule& module) {
    uint32_t word = 0;
    abi::Call call{};
    call.o.data = &word;
    module.run("answer", call, 1, 32, 0);
    return word;
}

std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_program(const std::filesystem::path& path, const std::string& text) {
    std::ofstream(path) << text;
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
}

// Warnings, as long as a test runs.
struct Warnings {
    std::vector<std::string> texts;
    Warnings() {
        set_warning_sink([this](const std::string& text) { texts.push_back(text); });
    }
    ~Warnings() { set_warning_sink({}); }
};

}  // namespace

TEST_CASE("programs run without a shell", "[host_compiler]") {
    const host::ProcessResult echo =
        host::run_process({host::find_program("echo"), "a  b", "$HOME;"});
    CHECK(echo.status == 0);
    CHECK(echo.output == "a  b $HOME;\n");
    CHECK(host::run_process({host::find_program("false")}).status == 1);
    CHECK(host::run_process({host::find_program("sh"), "-c", "echo x >&2; kill -9 $$"}).status ==
          128 + 9);
    CHECK(host::run_process({"/no/such/program"}).status == -1);
    CHECK(host::find_program("no-such-program").empty());
    CHECK(host::find_program("/etc/passwd").empty());
    CHECK(host::find_program("sh").front() == '/');
}

TEST_CASE("the host compiler is looked for in order", "[host_compiler]") {
    const host::HostCompiler real = host::find_host_compiler();
    CHECK(real.path.is_absolute());
    CHECK_FALSE(real.version.empty());

    const TemporaryDirectory directory;
    const ScopedVariable path("PATH", directory.path().string());
    const ScopedVariable unset("SAGEJIT_HOST_CXX", std::nullopt);
    const auto named = [&](const char* name) { return (directory.path() / name).string(); };
    write_program(named("clang++"), "#!/bin/sh\necho clang version 1\necho more\n");
    {
        const ScopedVariable cxx("CXX", std::nullopt);
        CHECK(host::find_host_compiler().path == named("clang++"));
        CHECK(host::find_host_compiler().version == "clang version 1");
        write_program(named("c++"), "#!/bin/sh\necho c++ 2\n");
        CHECK(host::find_host_compiler().path == named("c++"));
    }
    {
        write_program(named("mine"), "#!/bin/sh\necho mine 3 $1\n");
        const ScopedVariable cxx("CXX", "mine -m64");
        const host::HostCompiler mine = host::find_host_compiler();
        CHECK(mine.path == named("mine"));
        CHECK(mine.arguments == std::vector<std::string>{"-m64"});
        CHECK(mine.version == "mine 3 -m64");
        const ScopedVariable broken("CXX", "missing");
        CHECK(host::find_host_compiler().path == named("c++"));
        const ScopedVariable wanted("SAGEJIT_HOST_CXX", named("mine"));
        CHECK(host::find_host_compiler().path == named("mine"));
    }
}

TEST_CASE("without a compiler the error says what to do", "[host_compiler]") {
    const TemporaryDirectory directory;
    const ScopedVariable path("PATH", directory.path().string());
    const ScopedVariable cxx("CXX", "/no/such/cxx");
    {
        const ScopedVariable wanted("SAGEJIT_HOST_CXX", std::nullopt);
        const Error error = error_of([] { host::load_host_module(answer_text(1)); });
        CHECK(error.code() == ErrorCode::kNoHostCompiler);
        CHECK_THAT(error.message(), Contains("$CXX (/no/such/cxx): no such program") &&
                                        Contains("g++: no such program") &&
                                        Contains("clang++: no such program"));
        CHECK_THAT(error.fix(), Contains("SAGEJIT_HOST_CXX"));
    }
    write_program(directory.path() / "g++", "#!/bin/sh\necho 1\n");
    write_program(directory.path() / "silent", "#!/bin/sh\nexit 1\n");
    const ScopedVariable wanted("SAGEJIT_HOST_CXX", "silent");
    const Error error = error_of([] { host::find_host_compiler(); });
    CHECK_THAT(error.message(), Contains("$SAGEJIT_HOST_CXX (silent): ") &&
                                    Contains("silent --version fails") && !Contains("g++:"));
}

TEST_CASE("a text that does not compile is kept, with the compiler's messages", "[host_compiler]") {
    const std::string text =
        host_text("\nextern \"C\" void broken(Call) { no_such_function(); }\n");
    const Error error = error_of([&] { host::load_host_module(text); });
    CHECK(error.code() == ErrorCode::kCompileFailed);
    CHECK_THAT(error.message(), Contains("no_such_function"));
    CHECK_THAT(error.message(), Contains(host::find_host_compiler().path.string()));
    CHECK(read_file(error.where()) == text);
    std::filesystem::remove_all(std::filesystem::path(error.where()).parent_path());
}

TEST_CASE("a text that is not one of ours is refused", "[host_compiler]") {
    const Error error = error_of([] { host::load_host_module("extern \"C\" void f() {}\n"); });
    CHECK(error.code() == ErrorCode::kCompileFailed);
    CHECK_THAT(error.message(), Contains("sagejit_host_bind"));
    std::filesystem::remove_all(std::filesystem::path(error.where()).parent_path());
    const Error unresolved = error_of([] {
        host::load_host_module(host_text("void other();\nextern \"C\" void f(Call) { other(); }"));
    });
    CHECK_THAT(unresolved.message(), Contains("other"));
    std::filesystem::remove_all(std::filesystem::path(unresolved.where()).parent_path());
    CHECK(error_of([] { host::load_host_module(answer_text(1)).entry("question"); }).where() ==
          "question");
}

TEST_CASE("a library needs no other library", "[host_compiler]") {
    const host::HostModule module = host::load_host_module(host_text(R"(
struct Large { u32 words[300]; };
extern "C" void answer(Call call) {
    if (host_api->thread_index() != 0) return;
    Large large = *static_cast<Large*>(call.o.data);  // may call memcpy
    large.words[0] = static_cast<u32>(__builtin_sqrtf(static_cast<f32>(large.words[1])));
    *static_cast<Large*>(call.o.data) = large;
})"));
    std::vector<uint32_t> words(300, 49);
    abi::Call call{};
    call.o.data = words.data();
    module.run("answer", call, 1, 32, 0);
    CHECK(words[0] == 7);
    const std::string readelf = host::find_program("readelf");
    if (readelf.empty()) {
        WARN("skipped: no readelf");
        return;
    }
    const auto dynamic = host::run_process({readelf, "-d", module.library().string()});
    if (!host::host_compiler_flags().back().starts_with("-fsanitize")) {
        CHECK_THAT(dynamic.output, !Contains("NEEDED"));
    }
}

TEST_CASE("compiled texts are kept and found again", "[host_compiler]") {
    const TemporaryDirectory directory;
    const host::HostModuleOptions options{directory.path() / "new" / "cache"};
    const host::HostModule first = host::load_host_module(answer_text(41), options);
    CHECK_FALSE(first.from_cache());
    CHECK(first.compile_ms() > 0);
    CHECK(answer_of(first) == 41);
    const std::filesystem::path root = options.cache_directory / "v1" / "host";
    CHECK_THAT(first.library().string(), StartsWith(root.string()));
    const std::string key = first.library().stem().string();
    CHECK(key.size() == 32);
    CHECK(first.library().parent_path().filename() == key.substr(0, 2));

    const host::HostModule second = host::load_host_module(answer_text(41), options);
    CHECK(second.from_cache());
    CHECK(second.compile_ms() == 0);
    CHECK(second.load_ms() < first.load_ms());
    CHECK(answer_of(second) == 41);

    const host::HostModule other = host::load_host_module(answer_text(42), options);
    CHECK_FALSE(other.from_cache());
    CHECK(answer_of(other) == 42);
    for (const auto& each :
         std::filesystem::recursive_directory_iterator(options.cache_directory)) {
        struct stat status;
        REQUIRE(stat(each.path().c_str(), &status) == 0);
        CHECK((status.st_mode & 077) == 0);
        CHECK(each.path().extension() != ".tmp");
    }
}

TEST_CASE("damaged libraries are compiled again", "[host_compiler]") {
    const TemporaryDirectory directory;
    const host::HostModuleOptions options{directory.path() / "cache"};
    const std::filesystem::path library = host::load_host_module(answer_text(1), options).library();
    const std::string intact = read_file(library);
    std::string flipped = intact;
    flipped[flipped.size() / 2] ^= 1;
    for (const std::string& content : {intact.substr(0, intact.size() / 2), flipped, std::string(),
                                       std::string(10000, '\0'), intact.substr(1)}) {
        std::filesystem::remove(library);  // it may be mapped: write another file
        std::ofstream(library, std::ios::binary) << content;
        std::filesystem::permissions(library, std::filesystem::perms(0600));
        const host::HostModule again = host::load_host_module(answer_text(1), options);
        CHECK_FALSE(again.from_cache());
        CHECK(again.library() == library);
        CHECK(answer_of(again) == 1);
        CHECK(read_file(library) == intact);
    }
}

TEST_CASE("a cache that others may write is not used", "[host_compiler]") {
    Warnings warnings;
    const TemporaryDirectory directory;
    const std::filesystem::path root = directory.path() / "cache";
    std::filesystem::create_directory(root);
    std::filesystem::permissions(root, std::filesystem::perms(0777));
    for (int i = 0; i < 2; ++i) {
        const host::HostModule module = host::load_host_module(answer_text(5), {root});
        CHECK_FALSE(module.from_cache());
        CHECK(answer_of(module) == 5);
        CHECK(std::filesystem::exists(module.library()));
    }
    CHECK(std::filesystem::is_empty(root));
    REQUIRE(warnings.texts.size() == 1);
    CHECK_THAT(warnings.texts[0], Contains(root.string()) && Contains("written by others"));
}

TEST_CASE("kernels run where nothing can be kept", "[host_compiler]") {
    Warnings warnings;
    const host::HostModule module = host::load_host_module(answer_text(6), {"/dev/null/cache"});
    CHECK_FALSE(module.from_cache());
    CHECK(answer_of(module) == 6);
    CHECK(warnings.texts.size() == 1);
}

TEST_CASE("temporary directories go with their modules", "[host_compiler]") {
    std::filesystem::path library;
    {
        const host::HostModule module = host::load_host_module(answer_text(7));
        library = module.library();
        CHECK(std::filesystem::exists(library));
    }
    CHECK_FALSE(std::filesystem::exists(library.parent_path()));
}

TEST_CASE("many threads may load one text and run it", "[host_compiler]") {
    const TemporaryDirectory directory;
    const host::HostModuleOptions options{directory.path() / "cache"};
    std::vector<uint32_t> answers(6);
    {
        std::vector<std::jthread> threads;
        for (uint32_t& answer : answers) {
            threads.emplace_back([&] {
                for (int i = 0; i < 3; ++i) {
                    answer += answer_of(host::load_host_module(answer_text(9), options));
                }
            });
        }
    }
    CHECK(answers == std::vector<uint32_t>(6, 27));
}

TEST_CASE("the host executor runs the steps of a call", "[host_compiler]") {
    const TemporaryDirectory directory;
    PrepareOptions options;
    options.cache_directory = directory.path() / "cache";
    Source source;
    source.host_text = host_text(R"(
extern "C" void twice(Call call) {
    if (host_api->thread_index() == 0) static_cast<u32*>(call.o.data)[host_api->cta_index()] *= 2;
}
extern "C" void plus(Call call) {
    if (host_api->thread_index() == 0) static_cast<u32*>(call.o.data)[host_api->cta_index()] += 3;
}
extern "C" void stuck(Call) { if (host_api->thread_index() < 32) host_api->cta_barrier(); })");
    source.entries = {"twice", "plus"};
    PrepareReport report;
    const auto executor = make_host_executor({}, source, options, report);
    CHECK_FALSE(report.from_cache);
    CHECK(report.compile_ms > 0);
    CHECK(report.load_ms >= report.compile_ms);
    std::vector<uint32_t> words{1, 2, 3};
    abi::Call call{};
    call.o.data = words.data();
    const std::vector<LaunchStep> steps{
        {"twice", 3, 32, 0}, {"plus", 2, 64, 128}, {"twice", 0, 32, 0}};
    run(*executor, steps, call);
    CHECK(words == std::vector<uint32_t>{5, 7, 6});

    make_host_executor({}, source, options, report);
    CHECK(report.from_cache);
    CHECK(report.compile_ms == 0);
    options.use_cache = false;
    make_host_executor({}, source, options, report);
    CHECK_FALSE(report.from_cache);

    // The seed: the option, unless the environment asks for a schedule.
    options.use_cache = true;
    options.host_seed = 11;
    const std::vector<LaunchStep> stuck{{"stuck", 1, 64, 0}};
    const auto seed_in_error = [&] {
        const auto seeded = make_host_executor({}, source, options, report);
        return error_of([&] { run(*seeded, stuck, call); });
    };
    CHECK(seed_in_error().where() == "stuck");
    CHECK_THAT(seed_in_error().fix(), Contains("SAGEJIT_HOST_SEED=11"));
    {
        const ScopedVariable seed("SAGEJIT_HOST_SEED", "12");
        CHECK_THAT(seed_in_error().fix(), Contains("SAGEJIT_HOST_SEED=12"));
    }
    for (const char* bad : {"", "x", "1 ", "-1", "99999999999999999999"}) {
        const ScopedVariable seed("SAGEJIT_HOST_SEED", bad);
        CHECK(error_of([&] { make_host_executor({}, source, options, report); }).code() ==
              ErrorCode::kInvalidArgument);
    }
    source.entries.emplace_back("missing");
    CHECK(error_of([&] { make_host_executor({}, source, options, report); }).where() == "missing");
}
