#include <fmt/format.h>

#include <charconv>
#include <fstream>

#include "driver.h"
#include "sagejit/sagejit.h"

namespace sagejit {
namespace {

// The processor's name as the kernel tells it; "CPU" where it does not.
std::string processor_name() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        const size_t colon = line.find(": ");
        if (line.starts_with("model name") && colon != std::string::npos) {
            return line.substr(colon + 2);
        }
    }
    return "CPU";
}

}  // namespace

Device Device::host() { return Device(-1); }

Device Device::cuda(int ordinal) {
    gpu_info(ordinal);  // throws where there is none
    return Device(ordinal);
}

Device Device::best() {
    try {
        const GpuInfo& gpu = gpu_info(0);
        target_for_device(gpu.major, gpu.minor);
        return Device(0);
    } catch (const Error&) {
        return host();
    }
}

Device Device::parse(const std::string& text) {
    if (text == "host") return host();
    constexpr std::string_view kPrefix = "cuda:";
    int ordinal = -1;
    const char* end = text.data() + text.size();
    if (text.starts_with(kPrefix)) {
        const auto [stop, error] = std::from_chars(text.data() + kPrefix.size(), end, ordinal);
        if (error == std::errc() && stop == end && ordinal >= 0) return cuda(ordinal);
    }
    throw Error(ErrorCode::kInvalidArgument, fmt::format("unknown device \"{}\"", text), "device",
                "use host, or cuda:N with N from 0");
}

std::string Device::text() const { return is_host() ? "host" : fmt::format("cuda:{}", ordinal_); }

std::string Device::name() const { return is_host() ? processor_name() : gpu_info(ordinal_).name; }

const Target& Device::target() const {
    if (is_host()) {
        throw Error(ErrorCode::kInvalidArgument,
                    "the host device has no target of its own: it runs any", "device",
                    "name a target in the config");
    }
    const GpuInfo& gpu = gpu_info(ordinal_);
    return target_for_device(gpu.major, gpu.minor);
}

const Target& Device::target_for(const Spec& spec) const {
    validate(spec);
    if (is_host()) return target();
    const GpuInfo& gpu = gpu_info(ordinal_);
    return best_target(spec, gpu.major, gpu.minor);
}

}  // namespace sagejit
