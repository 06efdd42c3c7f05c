#include "bench_row.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>

#include "bench/work.h"
#include "sagejit/generator/source.h"

namespace sagejit::cli {
namespace {

constexpr double kMsPerSecond = 1e3, kTera = 1e12;

Json summary_json(const SampleSummary& summary) {
    if (summary.count == 0) return nullptr;
    return {{"median", summary.median},
            {"q1", summary.q1},
            {"q3", summary.q3},
            {"min", summary.min},
            {"max", summary.max}};
}

Json timing_json(const Timing& timing) {
    return {{"median_ms", timing.ms.median},
            {"q1_ms", timing.ms.q1},
            {"q3_ms", timing.ms.q3},
            {"min_ms", timing.ms.min},
            {"max_ms", timing.ms.max},
            {"samples", timing.ms.count},
            {"launches_per_sample", timing.launches_per_sample}};
}

struct Speed {
    double flops;
    std::optional<double> bound_ms;
};

Json column_json(const Timing& timing, const std::optional<Timing>& single, const Speed& speed) {
    Json fields = timing_json(timing);
    fields["tflops"] = speed.flops / (timing.ms.median / kMsPerSecond) / kTera;
    fields["share_of_peak"] =
        speed.bound_ms ? Json(*speed.bound_ms / timing.ms.median) : Json(nullptr);
    fields["single_launch"] = single ? timing_json(*single) : Json(nullptr);
    return fields;
}

Json peak_json(const std::optional<TensorPeak>& peak) {
    if (!peak) return nullptr;
    return {{"qk_tops", peak->qk_tops}, {"pv_tops", peak->pv_tops}, {"source", peak->source}};
}

Json gpu_json(const std::optional<GpuReadings>& readings) {
    if (!readings) return nullptr;
    return {{"sm_clock_mhz", summary_json(readings->sm_clock_mhz)},
            {"memory_clock_mhz", summary_json(readings->memory_clock_mhz)},
            {"power_w", summary_json(readings->power_w)},
            {"temperature_c", summary_json(readings->temperature_c)},
            {"throttled", readings->throttled}};
}

std::string now_utc() {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

}  // namespace

std::string plan_summary(const Plan& plan) {
    return fmt::format("q{} k{} w{} s{}{}", plan.tile_q, plan.tile_k, plan.warp_q, plan.stages,
                       plan.cluster_q > 1 ? fmt::format(" c{}", plan.cluster_q) : "");
}

Json subject_json(const BenchSubject& subject) {
    const Plan& plan = subject.plan;
    const Device& device = subject.device;
    const Json details = Json::parse(plan_json(plan));
    return {{"kind", "bench"},
            {"time", now_utc()},
            {"sagejit", generator_version()},
            {"config", subject.config.name},
            {"spec", spec_json(plan.spec)},
            {"plan", plan_summary(plan)},
            {"tuning", to_string(subject.match)},
            {"plan_details", details.at("attention")},
            {"hash", emit(plan).hash},
            {"device", device.text()},
            {"device_name", device.name()},
            {"driver", subject.nvidia_driver.empty() ? Json(nullptr) : Json(subject.nvidia_driver)},
            {"target", plan.target.name},
            {"shape", sizes_json(subject.sizes)},
            {"flops", attention_flops(subject.sizes.shape, plan.spec)},
            {"rotate", subject.rotate},
            {"rest_s", subject.rest_s}};
}

Json row_json(const BenchSubject& subject, const Kernel& kernel, const BenchResult& result) {
    const Plan& plan = subject.plan;
    const Shape& shape = subject.sizes.shape;
    Speed speed{attention_flops(shape, plan.spec), std::nullopt};
    std::optional<TensorPeak> peak;
    if (!subject.device.is_host()) peak = tensor_peak(subject.device.name(), plan.spec);
    if (peak) speed.bound_ms = tensor_bound_ms(*peak, shape, plan.spec);
    Json row = subject_json(subject);
    row.update({{"workspace_bytes", result.workspace_bytes},
                {"from_cache", kernel.report().from_cache},
                {"compile_ms", kernel.report().compile_ms},
                {"timer", subject.device.is_host() ? "wall_clock" : "device_events"},
                {"attention", column_json(result.attention, result.attention_single, speed)},
                {"whole_call", column_json(result.whole_call, result.whole_call_single, speed)},
                {"peak", peak_json(peak)},
                {"gpu", gpu_json(result.gpu)},
                {"outputs_finite", result.outputs_finite}});
    return row;
}

Json error_row_json(const BenchSubject& subject, const Error& error) {
    Json row = subject_json(subject);
    row["error"] = {{"code", to_string(error.code())},
                    {"message", error.message()},
                    {"where", error.where()},
                    {"fix", error.fix()}};
    return row;
}

}  // namespace sagejit::cli
