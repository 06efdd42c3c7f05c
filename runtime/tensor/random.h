// Random numbers that are the same on every machine: no library function with a rounding of its
// own, and every stream is independent of the order in which streams are drawn.
#pragma once

#include <cstdint>

namespace sagejit {

// One reproducible stream. Streams with different (seed, stream) are unrelated.
// Source: SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
class RandomStream {
  public:
    RandomStream(uint64_t seed, uint64_t stream);

    uint64_t bits();
    double uniform();  // [0, 1)
    double normal();   // mean 0, variance 1; Marsaglia's polar method

  private:
    uint64_t state_;
    double spare_ = 0;
    bool has_spare_ = false;
};

// The natural logarithm of a positive finite number, within 2 units in the last place or so, from
// exactly rounded operations only.
double portable_log(double value);

}  // namespace sagejit
