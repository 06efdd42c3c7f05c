// NVRTC, found and opened at run time. Without <nvrtc.h>; see nvrtc_api.h for the calls.
#pragma once

#include <string>
#include <vector>

namespace sagejit {

// An NVRTC that works.
struct NvrtcInfo {
    std::string path;           // of libnvrtc
    std::string builtins_path;  // of libnvrtc-builtins; empty: left to NVRTC's own search
    int major = 0, minor = 0, build = 0;
    std::vector<std::string> options;  // the reproducibility options this version knows

    std::string version() const;  // "13.0.88"
};

// Searches, opens and tries out NVRTC. Throws Error(kNoNvrtc) listing the places searched, or
// naming the builtins library when that is what is missing. Takes tens of milliseconds; nothing
// is remembered, so that a later call may succeed. nvrtc_api() is the process-wide one.
NvrtcInfo probe_nvrtc();

}  // namespace sagejit
