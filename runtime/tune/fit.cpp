#include "tune/fit.h"

namespace sagejit {

TuningFit fit_of(const TunedDevice& tuned, const ShapeBucket& bucket, const TunedDevice& device,
                 const std::optional<Shape>& shape) {
    TuningFit fit;
    fit.distance = shape ? distance(bucket, bucket_of(*shape)) : 1 / pairs(bucket);
    if (tuned.same_gpu(device)) {
        fit.match = shape && fit.distance == 0 ? TuningMatch::kExact : TuningMatch::kOtherShape;
    } else if (tuned.compute_capability == device.compute_capability) {
        fit.match = TuningMatch::kOtherDevice;
    }
    return fit;
}

}  // namespace sagejit
