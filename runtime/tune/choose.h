// The plan that measurement recommends.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "sagejit/sagejit.h"
#include "sagejit/tuning.h"
#include "tune/record.h"

namespace sagejit {

class TuningStore;

// A device's name, multiprocessors and compute capability; for the host device the processor's
// name, 0 and "host".
TunedDevice describe_device(const Device& device);

struct ChosenPlan {
    Plan plan;
    TuningMatch match = TuningMatch::kNone;
    std::optional<TuningRecord> record;  // that recommends it
};

// Of all records the best for this request: measured, correct, naming a plan that candidates()
// still offers. Same GPU and bucket, else same GPU and the nearest bucket, else another GPU of the
// same compute capability; the later of two alike. Without a shape that of the most work counts as
// nearest, and never as exact. A plan in clusters is taken without them where the sizes do not fill
// them or are not known.
ChosenPlan choose_plan(const Spec& spec, const Target& target, const TunedDevice& device,
                       const std::optional<Shape>& shape, std::span<const TuningRecord> records);

// A plan with the records that recommend it.
struct TunedPlan {
    Plan plan;
    std::vector<const TuningRecord*> records;  // into those given
};

// Every plan that some record recommends for this request, on whatever GPU and for whatever sizes,
// behind make_plan's, which comes first whether or not one does.
std::vector<TunedPlan> tuned_plans(const Spec& spec, const Target& target,
                                   std::span<const TuningRecord> records);

// Shipped records, then those of the store.
std::vector<TuningRecord> known_records(const TuningStore& store);
// The same of the store in a cache directory (empty: the default one).
std::vector<TuningRecord> all_records(const std::filesystem::path& cache_directory);

// The same from shipped records and those of the cache directory (empty: the default one), which
// win. The host device and requests with nothing to choose get make_plan's.
ChosenPlan choose_plan(const Spec& spec, const Target& target, const Device& device,
                       const std::optional<Shape>& shape,
                       const std::filesystem::path& cache_directory);

}  // namespace sagejit
