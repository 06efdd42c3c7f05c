// From emitted source to a cubin, by NVRTC.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "nvrtc_library.h"
#include "sagejit/cubin_entry.h"
#include "sagejit/generator/error.h"

namespace sagejit {

struct CompiledCubin {
    std::vector<uint8_t> bytes;       // an ELF file
    std::vector<CubinEntry> entries;  // by symbol
    std::string log;                  // all NVRTC and ptxas said; only the warnings from a cache
    std::string warnings;             // the log without what is merely information; empty: none
    double milliseconds = 0;          // spent in NVRTC; 0 from a cache
};

// Error(kCompileFailed) for a source that the compiler has read and refused.
class SourceRefused : public Error {
  public:
    using Error::Error;
};

// Begins the member of a cache key that holds the flags NVRTC reads from the environment.
inline constexpr std::string_view kEnvironmentFlags = "NVRTC_APPEND_FLAGS=";

// NVRTC's options for an architecture such as "sm_80", exact and in order.
std::vector<std::string> compile_options(const NvrtcInfo& nvrtc, std::string_view arch);

// Compiles for exactly one architecture. name stands for the file in messages and changes nothing
// else. Throws Error(kNoNvrtc); Error(kUnsupportedTarget) when this NVRTC does not know the
// architecture; Error(kCompileFailed) with the log, the options, the version and the path of the
// source, which is written to dump_directory ($TMPDIR or /tmp when empty), as SourceRefused where
// the compiler would refuse it again; Error(kCancelled) where the token was asked to stop, which
// takes effect at once from NVRTC 13.0 on, and before that when the compilation is over.
CompiledCubin compile_cubin(const std::string& source, std::string_view arch,
                            const std::string& name,
                            const std::filesystem::path& dump_directory = {},
                            std::stop_token stop = {});

}  // namespace sagejit
