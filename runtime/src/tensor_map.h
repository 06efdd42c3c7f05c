// Tensor maps: what a kernel's asynchronous copies of a box of a tensor need to know.
#pragma once

#include <cstdint>

namespace sagejit {

// A tensor in device memory and the box that one copy brings. Dimension 0 is the contiguous one.
struct TensorMapRequest {
    const void* base = nullptr;  // aligned to 16 bytes
    int rank = 4;
    uint64_t sizes[4] = {};         // elements, each 1 to 2^32
    uint64_t stride_bytes[3] = {};  // of dimensions 1 to 3: multiples of 16, below 2^40
    uint32_t box[4] = {};           // elements, each 1 to 256; box[0] fills multiples of 16 bytes
    // The 16-byte chunks of the box's rows in shared memory are permuted within that many bytes,
    // which a row then fills exactly; 0: not at all.
    int swizzle_bytes = 0;  // 0, 32, 64 or 128
    int element_bytes = 0;  // 1 or 2
};

// Throws Error(kInvalidArgument) for a request outside the rules above.
void check_tensor_map(const TensorMapRequest& request);

}  // namespace sagejit
