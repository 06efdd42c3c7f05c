// How well something tuned on one GPU for some sizes suits another GPU and other sizes.
#pragma once

#include <optional>

#include "sagejit/tuning.h"
#include "tune/bucket.h"
#include "tune/record.h"

namespace sagejit {

// The better match counts first, then the shorter distance.
struct TuningFit {
    TuningMatch match = TuningMatch::kNone;
    double distance = 0;

    bool at_least_as_good_as(const TuningFit& other) const {
        if (match != other.match) return match > other.match;
        return distance <= other.distance;
    }
    bool better_than(const TuningFit& other) const { return !other.at_least_as_good_as(*this); }
};

// tuned, bucket: what was measured. device, shape: what is wanted; without a shape the bucket of
// the most work is the nearest, and none is exact. kNone between GPUs of different compute
// capability.
TuningFit fit_of(const TunedDevice& tuned, const ShapeBucket& bucket, const TunedDevice& device,
                 const std::optional<Shape>& shape);

}  // namespace sagejit
