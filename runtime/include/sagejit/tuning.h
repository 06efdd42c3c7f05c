// Plans chosen by measurement: what prepare knows from `sagejit tune`.
#pragma once

#include <string_view>

namespace sagejit {

// How well a tuning record fits what is prepared.
enum class TuningMatch {
    kNone,         // nobody has measured: the generator's own choice
    kOtherDevice,  // measured on another GPU of the same compute capability
    kOtherShape,   // measured on this GPU, for other sizes
    kExact,        // measured on this GPU, for sizes of the same bucket
};
// "none", "other_device", "other_shape", "exact".
std::string_view to_string(TuningMatch value);

}  // namespace sagejit
