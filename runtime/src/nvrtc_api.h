// NVRTC's entry points. Internal to the two files that call them.
#pragma once

#include <nvrtc.h>

#include <optional>
#include <stop_token>
#include <string>

#include "nvrtc_library.h"
#include "nvrtc_record.h"

namespace sagejit {

struct NvrtcApi {
    decltype(&::nvrtcGetErrorString) get_error_string;
    decltype(&::nvrtcVersion) version;
    decltype(&::nvrtcGetNumSupportedArchs) get_num_supported_archs;
    decltype(&::nvrtcGetSupportedArchs) get_supported_archs;
    decltype(&::nvrtcCreateProgram) create_program;
    decltype(&::nvrtcDestroyProgram) destroy_program;
    decltype(&::nvrtcCompileProgram) compile_program;
    decltype(&::nvrtcGetPTXSize) get_ptx_size;
    decltype(&::nvrtcGetPTX) get_ptx;
    decltype(&::nvrtcGetCUBINSize) get_cubin_size;
    decltype(&::nvrtcGetCUBIN) get_cubin;
    decltype(&::nvrtcGetProgramLogSize) get_program_log_size;
    decltype(&::nvrtcGetProgramLog) get_program_log;
    // Null before CUDA 13.0.
    int (*set_flow_callback)(nvrtcProgram, int (*)(void*, void*), void*) = nullptr;
    NvrtcInfo info;
    std::optional<NvrtcRecord> record;  // where it can be known again
};

// The process's NVRTC, opened by the first call that succeeds. Throws as probe_nvrtc does.
const NvrtcApi& nvrtc_api();

// True once nvrtc_api has succeeded.
bool nvrtc_is_open();

// A program for the length of one compilation.
class NvrtcProgram {
  public:
    // Throws Error(kInternal) when NVRTC refuses it.
    NvrtcProgram(const NvrtcApi& api, const std::string& source, const std::string& name);
    ~NvrtcProgram();
    NvrtcProgram(const NvrtcProgram&) = delete;
    NvrtcProgram& operator=(const NvrtcProgram&) = delete;

    // Lets the token stop compile, where this NVRTC can be stopped.
    void stop_when_asked(const std::stop_token& stop);
    nvrtcResult compile(const std::vector<std::string>& options);
    std::string log() const;
    std::string ptx() const;
    std::string cubin() const;  // empty when there is none

  private:
    const NvrtcApi& api_;
    nvrtcProgram program_ = nullptr;
    std::stop_token stop_;
};

}  // namespace sagejit
