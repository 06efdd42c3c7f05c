#include "host/compiler.h"

#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <sstream>
#include <system_error>

#include "host/process.h"
#include "host/sanitizers.h"
#include "sagejit/generator/error.h"

namespace sagejit::host {
namespace {

constexpr std::size_t kMaxLogBytes = 16 * 1024;

std::vector<std::string> split_words(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
}

std::vector<std::string> command_of(const HostCompiler& compiler) {
    std::vector<std::string> command{compiler.path.string()};
    command.insert(command.end(), compiler.arguments.begin(), compiler.arguments.end());
    return command;
}

// The first line a compiler says about itself, asked once a process; empty where it does not run.
std::string version_of(const HostCompiler& compiler) {
    static std::mutex mutex;
    static auto* known = new std::map<std::vector<std::string>, std::string>;
    std::vector<std::string> command = command_of(compiler);
    const std::lock_guard lock(mutex);
    const auto found = known->find(command);
    if (found != known->end()) return found->second;
    std::vector<std::string> question = command;
    question.emplace_back("--version");
    const ProcessResult answer = run_process(question);
    const std::string line =
        answer.status == 0 ? answer.output.substr(0, answer.output.find('\n')) : "";
    known->emplace(std::move(command), line);
    return line;
}

// Fills the compiler a command names. Returns what is wrong with it, or nothing.
std::string try_command(const std::string& text, HostCompiler& compiler) {
    const std::vector<std::string> words = split_words(text);
    if (words.empty()) return "empty";
    const std::string path = find_program(words[0]);
    if (path.empty()) return "no such program";
    compiler.path = path;
    compiler.arguments.assign(words.begin() + 1, words.end());
    compiler.version = version_of(compiler);
    return compiler.version.empty() ? path + " --version fails" : "";
}

}  // namespace

HostCompiler find_host_compiler() {
    struct Candidate {
        const char* variable;  // null: a plain command
        const char* command;
    };
    const Candidate candidates[] = {
        {"SAGEJIT_HOST_CXX", nullptr}, {"CXX", nullptr}, {nullptr, "c++"}, {nullptr, "g++"},
        {nullptr, "clang++"},
    };
    std::string searched;
    for (const auto& [variable, command] : candidates) {
        const char* text = variable != nullptr ? std::getenv(variable) : command;
        if (text == nullptr) continue;
        HostCompiler compiler;
        const std::string problem = try_command(text, compiler);
        if (problem.empty()) return compiler;
        searched += variable != nullptr ? fmt::format("\n  ${} ({}): {}", variable, text, problem)
                                        : fmt::format("\n  {}: {}", text, problem);
        if (variable == candidates[0].variable) break;
    }
    throw Error(ErrorCode::kNoHostCompiler,
                "the host device compiles kernels with a C++20 compiler and found none; looked "
                "for (on $PATH):" +
                    searched,
                {}, "install g++ or clang++, or name one in $SAGEJIT_HOST_CXX");
}

std::vector<std::string> host_compiler_flags() {
    std::vector<std::string> flags{
        "-std=c++20", "-fPIC", "-shared",
        // Warnings are for those who write the templates, and they see them on the GPU.
        "-w",
        // As NVRTC is told: a * b + c rounds twice unless the source asks for fma.
        "-ffp-contract=off", "-fno-math-errno",
        // Kernels look at memory as whatever type suits them.
        "-fno-strict-aliasing",
        // Needs nothing but this process and the C library.
        "-fno-exceptions", "-fno-rtti", "-fno-asynchronous-unwind-tables", "-nostdlib"};
    if constexpr (kSanitizers.empty()) {
        flags.emplace_back("-O2");
    } else {
        // -g1: lines in reports. -Og compiles in two thirds of the time of -O1, and runs as fast.
        flags.insert(flags.end(),
                     {"-Og", "-g1", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all"});
        flags.push_back(fmt::format("-fsanitize={}", kSanitizers));
    }
    return flags;
}

void compile_host_source(const HostCompiler& compiler, const std::filesystem::path& source,
                         const std::filesystem::path& library) {
    std::vector<std::string> command = command_of(compiler);
    for (std::string& flag : host_compiler_flags()) command.push_back(std::move(flag));
    // Reports name the file, not the directory it was in for a moment.
    command.push_back(fmt::format("-ffile-prefix-map={}/=", source.parent_path().string()));
    command.insert(command.end(), {"-o", library.string(), source.string(), "-lgcc"});
    const ProcessResult result = run_process(command);
    std::error_code error;
    if (result.status == 0 && std::filesystem::exists(library, error)) return;
    std::string log = result.output.substr(0, kMaxLogBytes);
    if (log.size() < result.output.size()) log += "\n[...]";
    throw Error(ErrorCode::kCompileFailed,
                fmt::format("{} ({}) failed with status {}:\n{}", compiler.path.string(),
                            compiler.version, result.status, log),
                source.string());
}

}  // namespace sagejit::host
