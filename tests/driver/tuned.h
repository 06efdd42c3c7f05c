// Tuning records as `sagejit tune` would have left them, and the warnings that bad ones draw.
#pragma once

#include <string>
#include <vector>

#include "sagejit/sagejit.h"
#include "tune/choose.h"
#include "tune/store.h"
#include "warning.h"

namespace sagejit::test {

// One that recommends candidate number `index` on this GPU for a shape.
inline TuningRecord record_for(const Spec& spec, const Device& gpu, const Shape& shape,
                               size_t index) {
    const Target& target = gpu.target_for(spec);
    TuningRecord record;
    record.identity = tuning_identity(spec);
    record.target = target.name;
    record.choices = plan_choices(candidates(spec, target).at(index));
    record.device = describe_device(gpu);
    record.generator = "0.1.0";
    record.bucket = bucket_of(shape);
    record.shape = shape;
    record.rel_l1 = 0.01;
    record.rel_l1_limit = 0.02;
    record.whole_call = record.attention = RecordedTime{1, 1, 1, 9};
    record.candidates = record.measured = 9;
    record.time = "2026-01-01T00:00:00Z";
    return record;
}

// Warnings while it exists, instead of on standard error.
class CollectedWarnings {
  public:
    CollectedWarnings() {
        set_warning_sink([this](const std::string& text) { texts.push_back(text); });
    }
    ~CollectedWarnings() { set_warning_sink({}); }
    CollectedWarnings(const CollectedWarnings&) = delete;
    CollectedWarnings& operator=(const CollectedWarnings&) = delete;
    std::vector<std::string> texts;
};

}  // namespace sagejit::test
