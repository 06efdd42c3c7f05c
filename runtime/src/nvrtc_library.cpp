#include "nvrtc_library.h"

#include <fmt/format.h>

#include <atomic>
#include <charconv>
#include <string_view>

#include "background.h"
#include "dynamic_library.h"
#include "nvrtc_api.h"
#include "nvrtc_search.h"
#include "nvrtc_sighting.h"
#include "sagejit/generator/error.h"

namespace sagejit {
namespace {

constexpr const char* kFix =
    "install the CUDA toolkit 12 or newer or pip's nvidia-cuda-nvrtc, or set SAGEJIT_NVRTC to the "
    "path of libnvrtc";

// Any architecture every supported NVRTC knows.
constexpr std::string_view kProbeArch = "--gpu-architecture=compute_80";

DynamicLibrary open_library() {
    std::vector<SearchedPlace> searched;
    const std::vector<std::string> candidates = nvrtc_candidates(searched);
    DynamicLibrary library = DynamicLibrary::open_first(candidates, searched);
    if (library.is_open()) return library;
    throw Error(ErrorCode::kNoNvrtc,
                "NVRTC (libnvrtc.so.13 or .12) was not found; searched:" + to_text(searched) + "\n",
                "nvrtc", kFix);
}

template <typename Function>
void bind(const DynamicLibrary& library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(library.symbol(name));
    if (function != nullptr) return;
    throw Error(ErrorCode::kNoNvrtc, fmt::format("{} has no function {}", library.path(), name),
                "nvrtc", kFix);
}

void bind_all(const DynamicLibrary& library, NvrtcApi& api) {
    bind(library, "nvrtcGetErrorString", api.get_error_string);
    bind(library, "nvrtcVersion", api.version);
    bind(library, "nvrtcGetNumSupportedArchs", api.get_num_supported_archs);
    bind(library, "nvrtcGetSupportedArchs", api.get_supported_archs);
    bind(library, "nvrtcCreateProgram", api.create_program);
    bind(library, "nvrtcDestroyProgram", api.destroy_program);
    bind(library, "nvrtcCompileProgram", api.compile_program);
    bind(library, "nvrtcGetPTXSize", api.get_ptx_size);
    bind(library, "nvrtcGetPTX", api.get_ptx);
    bind(library, "nvrtcGetCUBINSize", api.get_cubin_size);
    bind(library, "nvrtcGetCUBIN", api.get_cubin);
    bind(library, "nvrtcGetProgramLogSize", api.get_program_log_size);
    bind(library, "nvrtcGetProgramLog", api.get_program_log);
    api.set_flow_callback =
        reinterpret_cast<decltype(api.set_flow_callback)>(library.symbol("nvrtcSetFlowCallback"));
}

// NVRTC opens its builtins library by soname when it first compiles, with the loader's search
// only, which does not cover the directory NVRTC itself was found in. One that is loaded already
// satisfies it. Returns where it is; empty when it is not beside libnvrtc.
std::string preload_builtins(const NvrtcInfo& info) {
    std::vector<SearchedPlace> searched;
    return DynamicLibrary::open_first(builtins_candidates(info), searched).path();
}

// Throws Error(kNoNvrtc) for an NVRTC that cannot even compile the version program.
[[noreturn]] void throw_unusable(const NvrtcInfo& info, const char* result,
                                 const std::string& log) {
    const std::string builtins = info.builtins_path.empty()
                                     ? "was not found beside it nor by the loader"
                                     : "was found as " + info.builtins_path;
    throw Error(ErrorCode::kNoNvrtc,
                fmt::format("{} {}.{} cannot compile: {}\n{}\nits library "
                            "libnvrtc-builtins.so.{}.{} {}\n",
                            info.path, info.major, info.minor, result, log, info.major, info.minor,
                            builtins),
                "nvrtc", kFix);
}

int build_number(std::string_view ptx) {
    constexpr std::string_view kMarker = "sagejit_build = ";
    int build = 0;
    if (const size_t at = ptx.find(kMarker); at != std::string_view::npos) {
        std::from_chars(ptx.data() + at + kMarker.size(), ptx.data() + ptx.size(), build);
    }
    return build;
}

// Finds out which reproducibility options this NVRTC knows and its build number, by compiling a
// program whose PTX holds that number: no function tells either. Throws Error(kNoNvrtc).
void probe_compiler(const NvrtcApi& api, NvrtcInfo& info) {
    info.options.assign(kReproducibleOptions.begin(), kReproducibleOptions.end());
    for (;;) {
        std::vector<std::string> options = {std::string(kProbeArch)};
        options.insert(options.end(), info.options.begin(), info.options.end());
        NvrtcProgram program(
            api, "extern \"C\" __device__ const unsigned sagejit_build = __CUDACC_VER_BUILD__;",
            "version.cu");
        const nvrtcResult result = program.compile(options);
        const std::string log = program.log();
        if (result == NVRTC_SUCCESS) {
            info.build = build_number(program.ptx());
            return;
        }
        // An older NVRTC refuses the first option it does not know, at once and by name.
        const auto named = [&log](const std::string& option) {
            return log.find(option.substr(0, option.find('='))) != std::string::npos;
        };
        if (result != NVRTC_ERROR_INVALID_OPTION || std::erase_if(info.options, named) == 0) {
            throw_unusable(info, api.get_error_string(result), log);
        }
    }
}

NvrtcApi open_nvrtc() {
    const auto seen = sight_nvrtc();
    const DynamicLibrary library = open_library();
    NvrtcApi api;
    api.info.path = library.path();
    bind_all(library, api);
    if (api.version(&api.info.major, &api.info.minor) != NVRTC_SUCCESS || api.info.major < 12) {
        throw Error(ErrorCode::kNoNvrtc,
                    fmt::format("{} is NVRTC {}.{}, too old", library.path(), api.info.major,
                                api.info.minor),
                    "nvrtc", kFix);
    }
    const auto seen_builtins = sight_builtins(api.info);
    api.info.builtins_path = preload_builtins(api.info);
    probe_compiler(api, api.info);
    api.record = record_of(api.info, seen, seen_builtins);
    return api;
}

// What nvrtc_api has opened.
std::atomic<const NvrtcApi*> opened_api = nullptr;

}  // namespace

std::string NvrtcInfo::version() const { return fmt::format("{}.{}.{}", major, minor, build); }

NvrtcInfo probe_nvrtc() { return open_nvrtc().info; }

const NvrtcApi& nvrtc_api() {
    // An initialiser that throws leaves the static unset: the next call searches again. Never
    // destroyed, since a thread may still compile while the process exits.
    static const NvrtcApi* const api = [] {
        auto* opened = new NvrtcApi(open_nvrtc());
        finish_background_before_exit();
        opened_api.store(opened, std::memory_order_release);
        return opened;
    }();
    return *api;
}

bool nvrtc_is_open() { return opened_api.load(std::memory_order_acquire) != nullptr; }

}  // namespace sagejit
