#include "tune/choose.h"

#include <fmt/format.h>

#include <algorithm>

#include "driver.h"
#include "tune/fit.h"
#include "tune/store.h"

namespace sagejit {
namespace {

const Plan* find_plan(std::span<const Plan> plans, const std::string& choices) {
    for (const Plan& plan : plans) {
        if (plan_choices(plan) == choices) return &plan;
    }
    return nullptr;
}

// Whether clusters suit the sizes: the last cluster of a row may have a tile without queries, whose
// CTA only helps to copy.
bool fills_clusters(const Plan& plan, const std::optional<Shape>& shape) {
    constexpr int64_t kMaxWaste = 8;  // one tile in so many
    if (plan.cluster_q == 1) return true;
    if (!shape) return false;
    const int64_t tiles = (shape->len_q + plan.tile_q - 1) / plan.tile_q;
    return tiles % plan.cluster_q == 0 || tiles >= kMaxWaste;
}

// The same plan without clusters.
const Plan* without_clusters(std::span<const Plan> plans, const Plan& clustered) {
    for (const Plan& plan : plans) {
        if (plan.cluster_q == 1 && plan.tile_q == clustered.tile_q &&
            plan.tile_k == clustered.tile_k && plan.stages == clustered.stages) {
            return &plan;
        }
    }
    return nullptr;
}

// Whether it is measured, right, and for this request.
bool applies(const TuningRecord& record, const std::string& identity, const Target& target) {
    return record.identity == identity && record.target == target.name && !record.estimate &&
           record.passed();
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
    TuningFit best;
    for (const TuningRecord& record : records) {
        if (!applies(record, identity, target)) continue;
        const TuningFit fit = fit_of(record.device, record.bucket, device, shape);
        if (fit.match == TuningMatch::kNone || !fit.at_least_as_good_as(best)) continue;
        if (plans.empty()) plans = candidates(spec, target);
        const Plan* plan = find_plan(plans, record.choices);
        if (plan != nullptr && !fills_clusters(*plan, shape)) plan = without_clusters(plans, *plan);
        if (plan == nullptr) continue;
        best = fit;
        best_plan = plan;
        chosen.record = record;
    }
    chosen.plan = best_plan != nullptr ? *best_plan : make_plan(spec, target);
    chosen.match = best.match;
    return chosen;
}

std::vector<TunedPlan> tuned_plans(const Spec& spec, const Target& target,
                                   std::span<const TuningRecord> records) {
    const std::string identity = tuning_identity(spec);
    std::vector<Plan> plans;
    std::vector<TunedPlan> result = {{make_plan(spec, target), {}}};
    // Of two records for the same GPU and bucket the later one counts, so the last come first.
    std::vector<const TuningRecord*> taken;
    for (size_t i = records.size(); i-- > 0;) {
        const TuningRecord& record = records[i];
        if (!applies(record, identity, target)) continue;
        const auto is_same = [&record](const TuningRecord* other) {
            return other->device.same_gpu(record.device) && other->bucket == record.bucket;
        };
        if (std::any_of(taken.begin(), taken.end(), is_same)) continue;
        if (plans.empty()) plans = candidates(spec, target);
        const Plan* plan = find_plan(plans, record.choices);
        if (plan == nullptr) continue;
        taken.push_back(&record);
        const auto known = std::find_if(result.begin(), result.end(), [&](const TunedPlan& each) {
            return plan_choices(each.plan) == record.choices;
        });
        TunedPlan& tuned = known != result.end() ? *known : result.emplace_back(*plan);
        tuned.records.push_back(&record);
    }
    return result;
}

std::vector<TuningRecord> known_records(const TuningStore& store) {
    std::vector<TuningRecord> records = shipped_records();
    for (TuningRecord& record : store.records()) records.push_back(std::move(record));
    return records;
}

std::vector<TuningRecord> all_records(const std::filesystem::path& cache_directory) {
    return known_records(TuningStore(cache_directory));
}

ChosenPlan choose_plan(const Spec& spec, const Target& target, const Device& device,
                       const std::optional<Shape>& shape,
                       const std::filesystem::path& cache_directory) {
    if (device.is_host()) return {make_plan(spec, target), TuningMatch::kNone, std::nullopt};
    return choose_plan(spec, target, describe_device(device), shape, all_records(cache_directory));
}

}  // namespace sagejit
