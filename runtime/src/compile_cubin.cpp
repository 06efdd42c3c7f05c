#include "compile_cubin.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <string>

#include "nvrtc_api.h"
#include "ptxas_log.h"
#include "sagejit/generator/error.h"

namespace sagejit {
namespace {

// Throws Error(kUnsupportedTarget) unless NVRTC lists the architecture, so that an old NVRTC is
// told apart from a broken source.
void check_architecture(const NvrtcApi& api, std::string_view arch) {
    int number = 0;
    if (arch.starts_with("sm_")) {
        std::from_chars(arch.data() + 3, arch.data() + arch.size(), number);
    }
    int count = 0;
    std::vector<int> known;
    if (api.get_num_supported_archs(&count) == NVRTC_SUCCESS && count > 0) {
        known.resize(count);
        if (api.get_supported_archs(known.data()) != NVRTC_SUCCESS) known.clear();
    }
    if (known.empty() || std::count(known.begin(), known.end(), number) > 0) return;
    throw Error(ErrorCode::kUnsupportedTarget,
                fmt::format("NVRTC {} ({}) cannot compile for {}; it knows sm_{}",
                            api.info.version(), api.info.path, arch, fmt::join(known, ", sm_")),
                "target", "install a CUDA toolkit that knows the GPU, or choose another target");
}

std::filesystem::path temporary_directory() {
    const char* named = std::getenv("TMPDIR");
    return named != nullptr && *named != '\0' ? named : "/tmp";
}

// Writes the source to a fresh file that only the user can read. Returns its path, or why there
// is none: a failure to dump must not hide the failure to compile.
std::string dump_source(const std::string& source, std::filesystem::path directory) {
    if (directory.empty()) directory = temporary_directory();
    constexpr int kSuffixLength = 3;  // ".cu"
    std::string path = (directory / "sagejit-XXXXXX.cu").string();
    const int file = mkstemps(path.data(), kSuffixLength);
    if (file < 0) return fmt::format("(could not be written to {})", directory.string());
    std::string_view rest = source;
    while (!rest.empty()) {
        const ssize_t written = write(file, rest.data(), rest.size());
        if (written <= 0) break;
        rest.remove_prefix(written);
    }
    close(file);
    return rest.empty() ? path : path + " (incomplete)";
}

}  // namespace

std::vector<std::string> compile_options(const NvrtcInfo& nvrtc, std::string_view arch) {
    std::vector<std::string> options = {fmt::format("--gpu-architecture={}", arch), "--std=c++17"};
    options.insert(options.end(), nvrtc.options.begin(), nvrtc.options.end());
    options.push_back("--ptxas-options=--verbose");
    return options;
}

CompiledCubin compile_cubin(const std::string& source, std::string_view arch,
                            const std::string& name, const std::filesystem::path& dump_directory,
                            std::stop_token stop) {
    const NvrtcApi& api = nvrtc_api();
    check_architecture(api, arch);
    const std::vector<std::string> options = compile_options(api.info, arch);

    NvrtcProgram program(api, source, name);
    program.stop_when_asked(stop);
    const auto start = std::chrono::steady_clock::now();
    const nvrtcResult result = program.compile(options);
    const std::chrono::duration<double, std::milli> elapsed =
        std::chrono::steady_clock::now() - start;

    if (result != NVRTC_SUCCESS && stop.stop_requested()) {
        throw Error(ErrorCode::kCancelled, "compiling was stopped: nobody waits for it", name);
    }
    CompiledCubin compiled;
    compiled.log = program.log();
    // NVRTC can report success without a cubin, e.g. when ptxas does not know an option.
    const std::string cubin = result == NVRTC_SUCCESS ? program.cubin() : "";
    if (cubin.empty()) {
        const std::string message = fmt::format(
            "NVRTC {} cannot compile for {}: {}\noptions: {}\nsource: {}\nlog:\n{}\n",
            api.info.version(), arch,
            result == NVRTC_SUCCESS ? "no cubin was produced" : api.get_error_string(result),
            fmt::join(options, " "), dump_source(source, dump_directory), compiled.log);
        if (result == NVRTC_SUCCESS || result == NVRTC_ERROR_COMPILATION) {
            throw SourceRefused(ErrorCode::kCompileFailed, message, name,
                                "report this with the source and the log");
        }
        throw Error(ErrorCode::kCompileFailed, message, name,
                    "try again; if it stays, report this with the source and the log");
    }
    compiled.bytes.assign(cubin.begin(), cubin.end());
    compiled.entries = parse_ptxas_log(compiled.log);
    compiled.warnings = warnings_in_log(compiled.log);
    compiled.milliseconds = elapsed.count();
    return compiled;
}

}  // namespace sagejit
