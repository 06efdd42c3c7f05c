// Tensor maps as the host device reads them.
#pragma once

#include "call.h"
#include "tensor_map.h"

namespace sagejit::host {

// The words of a map: this number, base, sizes (4), strides in bytes (3), then four 16-bit sizes
// of the box, then the element size and, above it, the swizzle in bytes.
inline constexpr abi::u64 kTensorMapMark = 0x7361676574656e73;

// Encodes a request that check_tensor_map accepts.
abi::TensorMap encode_tensor_map(const TensorMapRequest& request);

}  // namespace sagejit::host
