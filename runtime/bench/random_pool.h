// Random tensors of any size at the speed of copies.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sagejit/device_buffer.h"

namespace sagejit {

// A few million N(0,1) values on a device. Tensors are filled by copying them over and over from
// different places: drawing gigabytes one by one takes longer than any measurement, and zeros or
// constants would run faster than real data does.
class RandomPool {
  public:
    // largest: bytes of the largest tensor to come; the pool is not larger than useful.
    RandomPool(const Device& device, DataType dtype, size_t largest, uint64_t seed);

    // Fills the buffer. Different `stream`s start at different places of the pool, so that their
    // tensors do not look alike.
    void fill(DeviceBuffer& buffer, uint64_t stream) const;

  private:
    DeviceBuffer pool_;
};

}  // namespace sagejit
