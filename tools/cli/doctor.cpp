// sagejit doctor: what this machine offers, what is missing, and what to do about it.
#include <fmt/format.h>

#include <memory>

#include "output.h"
#include "sagejit/diagnostics.h"
#include "sagejit/generator/source.h"
#include "verbs.h"

namespace sagejit::cli {
namespace {

struct Options {
    bool json = false;
};

constexpr double kMebibyte = 1024.0 * 1024.0;

void add_finding(Json& fields, const Finding& finding) {
    fields["ok"] = finding.ok();
    fields["problem"] = finding.problem;
    fields["fix"] = finding.fix;
}

Json with_finding(Json fields, const Finding& finding) {
    add_finding(fields, finding);
    return fields;
}

void report_json(const Diagnostics& found, bool can_run) {
    Json gpus = Json::array();
    for (const GpuDiagnosis& gpu : found.gpus) {
        gpus.push_back(with_finding({{"device", gpu.device},
                                     {"name", gpu.name},
                                     {"compute_capability", gpu.compute_capability},
                                     {"target", gpu.target},
                                     {"memory_bytes", gpu.memory_bytes},
                                     {"multiprocessors", gpu.multiprocessors}},
                                    gpu.finding));
    }
    const auto& [driver, unused_gpus, nvrtc, cache, compiler] = found;
    print_json(
        {{"version", generator_version()},
         {"can_run", can_run},
         {"can_run_on_gpu", found.can_run_on_gpu()},
         {"can_run_on_host", found.can_run_on_host()},
         {"driver",
          with_finding({{"path", driver.path}, {"version", driver.version}}, driver.finding)},
         {"gpus", std::move(gpus)},
         {"nvrtc", with_finding({{"path", nvrtc.path},
                                 {"builtins_path", nvrtc.builtins_path},
                                 {"version", nvrtc.version}},
                                nvrtc.finding)},
         {"cache", with_finding({{"directory", cache.directory},
                                 {"writable", cache.writable},
                                 {"entries", cache.entries},
                                 {"bytes", cache.bytes}},
                                cache.finding)},
         {"host_compiler", with_finding({{"path", compiler.path}, {"version", compiler.version}},
                                        compiler.finding)}});
}

constexpr int kColumn = 15;

// "driver          CUDA 13.0, /usr/lib/libcuda.so.1", or what is wrong and the fix.
std::string line(std::string_view what, const std::string& found, const Finding& finding) {
    if (finding.ok()) return fmt::format("{:<{}} {}\n", what, kColumn, found);
    std::string problem = finding.problem;  // may be followed by lines of its own
    problem.erase(problem.find_last_not_of('\n') + 1);
    std::string text = fmt::format("{:<{}} {}\n", what, kColumn, problem);
    if (!finding.fix.empty()) text += fmt::format("{:<{}} fix: {}\n", "", kColumn, finding.fix);
    return text;
}

std::string yes_or_no(bool value) { return value ? "yes" : "no"; }

void report_text(const Diagnostics& found) {
    const auto& [driver, gpus, nvrtc, cache, compiler] = found;
    std::string text = fmt::format("{:<{}} {}\n", "sagejit", kColumn, generator_version());
    text += line("driver", fmt::format("CUDA {}, {}", driver.version, driver.path), driver.finding);
    for (const GpuDiagnosis& gpu : gpus) {
        const std::string facts = fmt::format(
            "{}, compute capability {} ({}), {} multiprocessors, {:.0f} MiB", gpu.name,
            gpu.compute_capability, gpu.target, gpu.multiprocessors, gpu.memory_bytes / kMebibyte);
        text += line(gpu.device, facts, gpu.finding);
    }
    text += line("nvrtc", fmt::format("{}, {}", nvrtc.version, nvrtc.path), nvrtc.finding);
    text += line("cache",
                 fmt::format("{}, {}, {} entries, {:.1f} MiB", cache.directory,
                             cache.writable ? "writable" : "read-only", cache.entries,
                             cache.bytes / kMebibyte),
                 cache.finding);
    text += line("host compiler", fmt::format("{}, {}", compiler.version, compiler.path),
                 compiler.finding);
    text += fmt::format("{:<{}} {}\n", "runs on a GPU", kColumn, yes_or_no(found.can_run_on_gpu()));
    text += fmt::format("{:<{}} {}\n", "runs on host", kColumn, yes_or_no(found.can_run_on_host()));
    print(text);
}

int run_doctor(const Options& options) {
    const Diagnostics found = diagnose();
    const bool can_run = found.can_run_on_gpu() || found.can_run_on_host();
    if (options.json) {
        report_json(found, can_run);
    } else {
        report_text(found);
    }
    if (!can_run) note("attention can run on no device here: see the fixes above");
    return can_run ? kOk : kNoDeviceOrTool;
}

}  // namespace

void add_doctor(CommandLine& line) {
    auto options = std::make_shared<Options>();
    Verb verb(line, "doctor", "Tell what was found on this machine and what is missing");
    verb.json(options->json);
    verb.footer(
        "Exit code 0 where attention can run on a GPU or on the host device, else 5.\n\n"
        "Example:\n"
        "  sagejit doctor");
    verb.action([options] { return run_doctor(*options); });
}

}  // namespace sagejit::cli
