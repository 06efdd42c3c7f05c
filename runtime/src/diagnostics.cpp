#include "sagejit/diagnostics.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cache_directory.h"
#include "disk_cache.h"
#include "driver.h"
#include "host/compiler.h"
#include "nvrtc_library.h"
#include "sagejit/generator/error.h"
#include "sagejit/generator/target.h"

namespace sagejit {

namespace {

// Runs a check and turns what it throws into a finding.
template <typename Check>
Finding examine(Check check) {
    try {
        check();
        return {};
    } catch (const Error& error) {
        return {error.message(), error.fix()};
    } catch (const std::exception& error) {
        return {error.what(), ""};
    }
}

GpuDiagnosis diagnose_gpu(int ordinal) {
    GpuDiagnosis gpu;
    gpu.device = fmt::format("cuda:{}", ordinal);
    gpu.finding = examine([&] {
        const GpuInfo& info = gpu_info(ordinal);
        gpu.name = info.name;
        gpu.compute_capability = fmt::format("{}.{}", info.major, info.minor);
        gpu.memory_bytes = info.memory_bytes;
        gpu.multiprocessors = info.multiprocessors;
        gpu.target = target_for_device(info.major, info.minor).name;
    });
    return gpu;
}

CacheDiagnosis diagnose_cache() {
    CacheDiagnosis diagnosis;
    const std::filesystem::path directory = default_cache_directory();
    diagnosis.directory = directory.string();
    const DiskCache cache(directory);
    diagnosis.writable = cache.is_writable();
    const CacheUsage usage = cache.usage();
    diagnosis.entries = usage.entries;
    diagnosis.bytes = usage.bytes;
    if (!cache.is_usable()) {
        diagnosis.finding = {
            cache.problem(),
            "name a directory of your own with SAGEJIT_CACHE_DIR, mode 700 and not a link"};
    } else if (!diagnosis.writable) {
        diagnosis.finding = {"the cache directory cannot be written",
                             "make it writable, or name another with SAGEJIT_CACHE_DIR"};
    }
    return diagnosis;
}

}  // namespace

bool Diagnostics::can_run_on_gpu() const {
    return driver.finding.ok() && nvrtc.finding.ok() &&
           std::any_of(gpus.begin(), gpus.end(),
                       [](const GpuDiagnosis& gpu) { return gpu.finding.ok(); });
}

Diagnostics diagnose() {
    Diagnostics result;
    result.driver.finding = examine([&result] {
        const DriverInfo info = probe_driver();
        result.driver.path = info.path;
        result.driver.version = info.version_text();
        const int count = gpu_count();
        for (int i = 0; i < count; ++i) result.gpus.push_back(diagnose_gpu(i));
    });
    result.nvrtc.finding = examine([&result] {
        const NvrtcInfo info = probe_nvrtc();
        result.nvrtc.path = info.path;
        result.nvrtc.builtins_path = info.builtins_path;
        result.nvrtc.version = info.version();
    });
    result.cache = diagnose_cache();
    result.host_compiler.finding = examine([&result] {
        const host::HostCompiler compiler = host::find_host_compiler();
        result.host_compiler.path = compiler.path.string();
        result.host_compiler.version = compiler.version;
    });
    return result;
}

}  // namespace sagejit
