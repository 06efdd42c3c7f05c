// A contiguous fp16 or bf16 tensor in host memory that owns its data, and widening of any tensor.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "sagejit/sagejit.h"
#include "tensor/aligned_bytes.h"

namespace sagejit {

struct HostTensor {
    DataType dtype = DataType::kFp16;
    std::array<int64_t, 4> shape{};  // batch, heads, len, dim
    AlignedBytes data;               // row-major, 64-byte aligned

    // Bit patterns, one per element.
    std::span<uint16_t> bits();
    std::span<const uint16_t> bits() const;
    // A reference to the data, valid while this tensor lives and keeps its size.
    TensorRef ref();
};

// Elements of a shape. Throws Error(kInvalidArgument), naming `what`, for a negative size or more
// elements than memory can address.
int64_t element_count(const std::array<int64_t, 4>& shape, std::string_view what);

// A tensor of zeros. Throws Error(kInvalidArgument) as element_count does.
HostTensor make_host_tensor(DataType dtype, const std::array<int64_t, 4>& shape);

// The elements of a host tensor with any strides, contiguous in row-major order.
std::vector<double> widen_to_double(const TensorRef& tensor);
std::vector<float> widen_to_float(const TensorRef& tensor);

}  // namespace sagejit
