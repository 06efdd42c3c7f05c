#include <fmt/format.h>

#include "nvrtc_api.h"
#include "sagejit/generator/error.h"

namespace sagejit {
namespace {

// Reads one of a program's outputs, whose size counts a closing null or not.
template <typename Size, typename Read>
std::string read_output(nvrtcProgram program, Size size, Read read) {
    size_t bytes = 0;
    if (size(program, &bytes) != NVRTC_SUCCESS || bytes == 0) return {};
    std::string text(bytes, '\0');
    if (read(program, text.data()) != NVRTC_SUCCESS) return {};
    return text;
}

std::string without_closing_nulls(std::string text) {
    while (!text.empty() && text.back() == '\0') text.pop_back();
    return text;
}

}  // namespace

NvrtcProgram::NvrtcProgram(const NvrtcApi& api, const std::string& source, const std::string& name)
    : api_(api) {
    const nvrtcResult result =
        api.create_program(&program_, source.c_str(), name.c_str(), 0, nullptr, nullptr);
    if (result != NVRTC_SUCCESS) {
        throw Error(ErrorCode::kInternal,
                    fmt::format("NVRTC cannot create a program: {}", api.get_error_string(result)),
                    name);
    }
}

NvrtcProgram::~NvrtcProgram() { api_.destroy_program(&program_); }

void NvrtcProgram::stop_when_asked(const std::stop_token& stop) {
    if (api_.set_flow_callback == nullptr || !stop.stop_possible()) return;
    stop_ = stop;
    const auto asked = [](void* token, void*) {
        return static_cast<std::stop_token*>(token)->stop_requested() ? 1 : 0;
    };
    api_.set_flow_callback(program_, asked, &stop_);
}

nvrtcResult NvrtcProgram::compile(const std::vector<std::string>& options) {
    std::vector<const char*> pointers;
    for (const std::string& option : options) pointers.push_back(option.c_str());
    return api_.compile_program(program_, static_cast<int>(pointers.size()), pointers.data());
}

std::string NvrtcProgram::log() const {
    return without_closing_nulls(
        read_output(program_, api_.get_program_log_size, api_.get_program_log));
}

std::string NvrtcProgram::ptx() const {
    return without_closing_nulls(read_output(program_, api_.get_ptx_size, api_.get_ptx));
}

std::string NvrtcProgram::cubin() const {
    return read_output(program_, api_.get_cubin_size, api_.get_cubin);
}

}  // namespace sagejit
