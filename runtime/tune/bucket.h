// Sizes that are tuned together.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "sagejit/generator/workspace.h"

namespace sagejit {

// The powers of two nearest to a call's sizes: a plan that is best for one is best, or close to it,
// for all shapes of its bucket. rows: batch * heads_q, of which each gives CTAs of its own.
struct ShapeBucket {
    int64_t rows = 1, len_q = 1, len_k = 1;

    auto operator<=>(const ShapeBucket&) const = default;
};

// Sizes of 0 count as 1.
ShapeBucket bucket_of(const Shape& shape);

// How unlike two buckets are: doublings between their sizes. Rows count half, since they change
// how many CTAs there are and not what one does.
double distance(const ShapeBucket& a, const ShapeBucket& b);

// Query-key pairs of the bucket.
double pairs(const ShapeBucket& bucket);

// "rows 64, len 4096/4096".
std::string to_text(const ShapeBucket& bucket);

}  // namespace sagejit
