#include "tune/choose.h"

#include <fmt/format.h>

#include <limits>

#include "driver.h"
#include "tune/store.h"

namespace sagejit {
namespace {

const Plan* find_plan(std::span<const Plan> plans, const std::string& choices) {
    for (const Plan& plan : plans) {
        if (plan_choices(plan) == choices) return &plan;
    }
    return nullptr;
}

// Lower is better; the match first, then the distance.
struct Fit {
    TuningMatch match = TuningMatch::kNone;
    double distance = std::numeric_limits<double>::infinity();

    bool at_least_as_good_as(const Fit& other) const {
        if (match != other.match) return match > other.match;
        return distance <= other.distance;
    }
};

Fit fit_of(const TuningRecord& record, const TunedDevice& device,
           const std::optional<Shape>& shape) {
    Fit fit;
    fit.distance = shape ? distance(record.bucket, bucket_of(*shape)) : 1 / pairs(record.bucket);
    if (record.device.same_gpu(device)) {
        fit.match = shape && fit.distance == 0 ? TuningMatch::kExact : TuningMatch::kOtherShape;
    } else if (record.device.compute_capability == device.compute_capability) {
        fit.match = TuningMatch::kOtherDevice;
    }
    return fit;
}

}  // namespace

std::string_view to_string(TuningMatch value) {
    switch (value) {
        case TuningMatch::kNone:
            return "none";
        case TuningMatch::kOtherDevice:
            return "other_device";
        case TuningMatch::kOtherShape:
            return "other_shape";
        case TuningMatch::kExact:
            return "exact";
    }
    return "unknown";
}

TunedDevice describe_device(const Device& device) {
    if (device.is_host()) return {device.name(), 0, "host", ""};
    const GpuInfo& gpu = gpu_info(device.ordinal());
    return {gpu.name, gpu.multiprocessors, fmt::format("{}.{}", gpu.major, gpu.minor), ""};
}

ChosenPlan choose_plan(const Spec& spec, const Target& target, const TunedDevice& device,
                       const std::optional<Shape>& shape, std::span<const TuningRecord> records) {
    const std::string identity = tuning_identity(spec);
    std::vector<Plan> plans;  // made when a record asks for them
    ChosenPlan chosen;
    const Plan* best_plan = nullptr;
    Fit best;
    for (const TuningRecord& record : records) {
        if (record.identity != identity || record.target != target.name) continue;
        if (record.estimate || !record.passed()) continue;
        const Fit fit = fit_of(record, device, shape);
        if (fit.match == TuningMatch::kNone || !fit.at_least_as_good_as(best)) continue;
        if (plans.empty()) plans = candidates(spec, target);
        const Plan* plan = find_plan(plans, record.choices);
        if (plan == nullptr) continue;
        best = fit;
        best_plan = plan;
        chosen.record = record;
    }
    chosen.plan = best_plan != nullptr ? *best_plan : make_plan(spec, target);
    chosen.match = best.match;
    return chosen;
}

ChosenPlan choose_plan(const Spec& spec, const Target& target, const Device& device,
                       const std::optional<Shape>& shape,
                       const std::filesystem::path& cache_directory) {
    if (device.is_host()) return {make_plan(spec, target), TuningMatch::kNone, std::nullopt};
    std::vector<TuningRecord> records = shipped_records();
    for (TuningRecord& record : TuningStore(cache_directory).records()) {
        records.push_back(std::move(record));
    }
    return choose_plan(spec, target, describe_device(device), shape, records);
}

}  // namespace sagejit
