// NVRTC, found and opened at run time. Without <nvrtc.h>; see nvrtc_api.h for the calls.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace sagejit {

// Options that make compilation reproducible, added by different NVRTC versions.
inline constexpr std::array<std::string_view, 2> kReproducibleOptions = {"--no-cache",
                                                                         "--frandom-seed=sagejit"};

// An NVRTC that works.
struct NvrtcInfo {
    std::string path;           // of libnvrtc
    std::string builtins_path;  // of libnvrtc-builtins; empty: left to NVRTC's own search
    int major = 0, minor = 0, build = 0;
    std::vector<std::string> options;  // the reproducibility options this version knows

    std::string version() const;  // "13.0.88"
    bool operator==(const NvrtcInfo&) const = default;
};

// Searches, opens and tries out NVRTC. Throws Error(kNoNvrtc) listing the places searched, or
// naming the builtins library when that is what is missing. Takes tens of milliseconds; nothing
// is remembered, so that a later call may succeed. nvrtc_api() is the process-wide one.
NvrtcInfo probe_nvrtc();

}  // namespace sagejit
