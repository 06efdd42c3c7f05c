// A stub libnvrtc, so that tests of caching and loading do not wait for a compiler. It makes a
// cubin with the entries of the source and no code in them. Its version is none that is real, so
// that no entry of a cache is ever taken for one of a real NVRTC; a copy of the file in which the
// text "stub version 13.99.1" is changed is another version. From the environment, at each compile:
//
//   SAGEJIT_STUB_NVRTC_MS       how long a compilation takes
//   SAGEJIT_STUB_NVRTC_FAIL     the nvrtcResult to fail with: 1 (out of memory) may pass
//   SAGEJIT_STUB_NVRTC_PROBE    the same for the probe of the version
//   SAGEJIT_STUB_NVRTC_SPILL    sources with this text spill registers in their last entry
//   SAGEJIT_STUB_NVRTC_SERIAL   for sources with this text ptxas says that it serialises wgmma
//   SAGEJIT_STUB_NVRTC_LOG      a file that gets a line a compilation: process, architecture
//   SAGEJIT_STUB_NVRTC_OPENED   a file that gets a line, process and version, when it is asked for
//                               its version: each time it is opened
//
// A line "#error TEXT" of the source fails as a compiler fails, with the file and line that #line
// gives; the word PTXAS_ERROR passes the front end and fails in ptxas.
#include <fcntl.h>
#include <nvrtc.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "../cubin_file.h"
#include "call.h"

#define SAGEJIT_EXPORT extern "C" __attribute__((visibility("default")))

struct _nvrtcProgram {
    std::string source, name, log, ptx, cubin;
    int (*callback)(void*, void*);
    void* payload;
};

namespace {

constexpr int kCancelled = 16;  // NVRTC_ERROR_CANCELLED of CUDA 13

constexpr std::array kArchitectures = {75, 80, 86, 87, 89, 90, 100, 103, 110, 120, 121};

std::string variable(const char* name, const char* otherwise) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : otherwise;
}

// Volatile: read from the file's bytes, whatever the compiler knows about them.
volatile const char kVersion[] = "stub version 13.99.1";

struct Version {
    int major = 0, minor = 0, build = 0;
};

Version version() {
    std::string text;
    for (const volatile char& letter : kVersion) text += letter;
    Version result;
    std::sscanf(text.c_str(), "stub version %d.%d.%d", &result.major, &result.minor, &result.build);
    return result;
}

// The #error directives of a source, as a compiler reports them.
std::string errors_of(const nvrtcProgram program) {
    std::string file = program->name, errors;
    int line = 0;
    size_t begin = 0;
    while (begin < program->source.size()) {
        const size_t end = std::min(program->source.find('\n', begin), program->source.size());
        const std::string text = program->source.substr(begin, end - begin);
        begin = end + 1;
        ++line;
        std::smatch match;
        if (std::regex_match(text, match, std::regex(R"re(#line (\d+)(?: "(.*)")?)re"))) {
            line = std::stoi(match[1]) - 1;
            if (match[2].matched) file = match[2];
        } else if (text.starts_with("#error ")) {
            errors += file + "(" + std::to_string(line) +
                      "): catastrophic error: #error directive: " + text.substr(7) + "\n";
        }
    }
    return errors;
}

// Entries and what ptxas would say about them.
void assemble(nvrtcProgram program, int arch) {
    sagejit::stub::CubinFile file;
    file.arch = arch;
    const std::regex entry(
        R"re(extern "C" __global__ void(?:\s+__launch_bounds__\([^)]*\))?\s+(\w+)\(([^)]*)\))re");
    for (std::sregex_iterator it(program->source.begin(), program->source.end(), entry), end;
         it != end; ++it) {
        const bool takes_call = (*it)[2].str().find("Call ") != std::string::npos;
        file.kernels.push_back({(*it)[1], takes_call ? sizeof(sagejit::abi::Call) : 0});
    }
    const auto holds = [&](const char* name) {
        const std::string text = variable(name, "");
        return !text.empty() && program->source.find(text) != std::string::npos;
    };
    if (holds("SAGEJIT_STUB_NVRTC_SERIAL")) {
        program->log +=
            "ptxas info    : (C7510) Potential Performance Loss: wgmma.mma_async instructions are "
            "serialized\n";
    }
    const bool spills = holds("SAGEJIT_STUB_NVRTC_SPILL");
    for (const auto& kernel : file.kernels) {
        const char* bytes = spills && &kernel == &file.kernels.back() ? "12" : "0";
        program->log += "ptxas info    : Compiling entry function '" + kernel.name + "' for 'sm_" +
                        std::to_string(arch) + "'\nptxas info    : Function properties for " +
                        kernel.name + "\n    0 bytes stack frame, " + bytes +
                        " bytes spill stores, " + bytes +
                        " bytes spill loads\n"
                        "ptxas info    : Used 64 registers, used 1 barriers\n";
    }
    program->cubin = sagejit::stub::write_cubin(file, program->source.size());
}

// Appends a line to the file that a variable names.
void note(const char* name, const std::string& what) {
    const std::string path = variable(name, "");
    if (path.empty()) return;
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const std::string line = std::to_string(getpid()) + " " + what + "\n";
    if (write(file, line.data(), line.size()) < 0) std::perror(path.c_str());
    close(file);
}

// Lets time pass. False when the callback cancels.
bool work(const _nvrtcProgram& program, int milliseconds) {
    constexpr int kSlice = 5;
    for (int passed = 0; passed < milliseconds; passed += kSlice) {
        std::this_thread::sleep_for(std::chrono::milliseconds(kSlice));
        if (program.callback != nullptr && program.callback(program.payload, nullptr) == 1) {
            return false;
        }
    }
    return true;
}

nvrtcResult copy_out(const std::string& text, char* out) {
    std::memcpy(out, text.data(), text.size());
    return NVRTC_SUCCESS;
}

}  // namespace

SAGEJIT_EXPORT const char* nvrtcGetErrorString(nvrtcResult result) {
    switch (result) {
        case NVRTC_SUCCESS:
            return "NVRTC_SUCCESS";
        case NVRTC_ERROR_OUT_OF_MEMORY:
            return "NVRTC_ERROR_OUT_OF_MEMORY";
        case NVRTC_ERROR_COMPILATION:
            return "NVRTC_ERROR_COMPILATION";
        case NVRTC_ERROR_INVALID_OPTION:
            return "NVRTC_ERROR_INVALID_OPTION";
        default:
            return "NVRTC_ERROR unknown";
    }
}

SAGEJIT_EXPORT nvrtcResult nvrtcVersion(int* major, int* minor) {
    const Version now = version();
    *major = now.major;
    *minor = now.minor;
    note("SAGEJIT_STUB_NVRTC_OPENED", std::to_string(now.major) + "." + std::to_string(now.minor) +
                                          "." + std::to_string(now.build));
    return NVRTC_SUCCESS;
}

SAGEJIT_EXPORT nvrtcResult nvrtcGetNumSupportedArchs(int* count) {
    *count = static_cast<int>(kArchitectures.size());
    return NVRTC_SUCCESS;
}

SAGEJIT_EXPORT nvrtcResult nvrtcGetSupportedArchs(int* architectures) {
    std::memcpy(architectures, kArchitectures.data(), sizeof kArchitectures);
    return NVRTC_SUCCESS;
}

SAGEJIT_EXPORT nvrtcResult nvrtcCreateProgram(nvrtcProgram* program, const char* source,
                                              const char* name, int, const char* const*,
                                              const char* const*) {
    *program = new _nvrtcProgram{
        source, name != nullptr ? name : "default_program", "", "", "", nullptr, nullptr};
    return NVRTC_SUCCESS;
}

SAGEJIT_EXPORT nvrtcResult nvrtcDestroyProgram(nvrtcProgram* program) {
    delete *program;
    *program = nullptr;
    return NVRTC_SUCCESS;
}

SAGEJIT_EXPORT nvrtcResult nvrtcCompileProgram(nvrtcProgram program, int count,
                                               const char* const* options) {
    std::string architecture;
    constexpr std::string_view kArchitecture = "--gpu-architecture=";
    for (int i = 0; i < count; ++i) {
        if (std::string_view(options[i]).starts_with(kArchitecture)) {
            architecture = options[i] + kArchitecture.size();
        }
    }
    if (architecture.starts_with("compute_")) {  // the probe for the version
        const int broken = std::atoi(variable("SAGEJIT_STUB_NVRTC_PROBE", "0").c_str());
        if (broken != 0) return static_cast<nvrtcResult>(broken);
        program->ptx = "sagejit_build = " + std::to_string(version().build) + ";\n";
        return NVRTC_SUCCESS;
    }
    const int arch = std::atoi(architecture.c_str() + std::strlen("sm_"));
    note("SAGEJIT_STUB_NVRTC_LOG", "sm_" + std::to_string(arch));
    if (!work(*program, std::atoi(variable("SAGEJIT_STUB_NVRTC_MS", "0").c_str()))) {
        return static_cast<nvrtcResult>(kCancelled);
    }
    const int failure = std::atoi(variable("SAGEJIT_STUB_NVRTC_FAIL", "0").c_str());
    if (failure != 0) return static_cast<nvrtcResult>(failure);
    program->log = errors_of(program);
    if (!program->log.empty()) return NVRTC_ERROR_COMPILATION;
    if (program->source.find("PTXAS_ERROR") != std::string::npos) {
        program->log = "ptxas fatal   : Ptx assembly aborted due to errors\n";
        return NVRTC_SUCCESS;  // as NVRTC does: success, and no cubin
    }
    assemble(program, arch);
    return NVRTC_SUCCESS;
}

SAGEJIT_EXPORT nvrtcResult nvrtcGetPTXSize(nvrtcProgram program, size_t* size) {
    *size = program->ptx.size();
    return NVRTC_SUCCESS;
}

SAGEJIT_EXPORT nvrtcResult nvrtcGetPTX(nvrtcProgram program, char* ptx) {
    return copy_out(program->ptx, ptx);
}

SAGEJIT_EXPORT nvrtcResult nvrtcGetCUBINSize(nvrtcProgram program, size_t* size) {
    *size = program->cubin.size();
    return NVRTC_SUCCESS;
}

SAGEJIT_EXPORT nvrtcResult nvrtcGetCUBIN(nvrtcProgram program, char* cubin) {
    return copy_out(program->cubin, cubin);
}

SAGEJIT_EXPORT nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram program, size_t* size) {
    *size = program->log.size() + 1;
    return NVRTC_SUCCESS;
}

SAGEJIT_EXPORT nvrtcResult nvrtcGetProgramLog(nvrtcProgram program, char* log) {
    std::memcpy(log, program->log.c_str(), program->log.size() + 1);
    return NVRTC_SUCCESS;
}

SAGEJIT_EXPORT nvrtcResult nvrtcSetFlowCallback(nvrtcProgram program, int (*callback)(void*, void*),
                                                void* payload) {
    program->callback = callback;
    program->payload = payload;
    return NVRTC_SUCCESS;
}
