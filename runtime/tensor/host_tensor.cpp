#include "tensor/host_tensor.h"

#include <limits>
#include <string>

#include "tensor/half.h"

namespace sagejit {
namespace {

template <class Real>
std::vector<Real> widen(const TensorRef& tensor) {
    const auto& [batch, heads, len, dim] = tensor.shape;
    std::vector<Real> values;
    values.reserve(static_cast<size_t>(element_count(tensor.shape, "tensor")));
    const auto* data = static_cast<const uint16_t*>(tensor.data);
    const auto& stride = tensor.strides;
    for (int64_t b = 0; b < batch; ++b)
        for (int64_t h = 0; h < heads; ++h)
            for (int64_t t = 0; t < len; ++t) {
                const uint16_t* row = data + b * stride[0] + h * stride[1] + t * stride[2];
                for (int64_t d = 0; d < dim; ++d)
                    values.push_back(half_to_float(row[d * stride[3]], tensor.dtype));
            }
    return values;
}

}  // namespace

std::span<uint16_t> HostTensor::bits() {
    return {reinterpret_cast<uint16_t*>(data.data()), data.size() / sizeof(uint16_t)};
}

std::span<const uint16_t> HostTensor::bits() const {
    return {reinterpret_cast<const uint16_t*>(data.data()), data.size() / sizeof(uint16_t)};
}

TensorRef HostTensor::ref() {
    TensorRef result;
    result.data = data.data();
    result.dtype = dtype;
    result.shape = shape;
    result.strides = {shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1};
    return result;
}

int64_t element_count(const std::array<int64_t, 4>& shape, std::string_view what) {
    // Room to spare for eight bytes an element and for products of strides.
    constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 16;
    int64_t nonzero = 1;
    bool empty = false;
    for (const int64_t size : shape) {
        if (size < 0 || (size > 0 && nonzero > kMost / size)) {
            throw Error(ErrorCode::kInvalidArgument,
                        size < 0 ? "a size is negative" : "the tensor is too large",
                        std::string(what), "give four sizes: batch, heads, len, dim");
        }
        if (size == 0) empty = true;
        if (size > 0) nonzero *= size;
    }
    return empty ? 0 : nonzero;
}

HostTensor make_host_tensor(DataType dtype, const std::array<int64_t, 4>& shape) {
    HostTensor tensor;
    tensor.dtype = dtype;
    tensor.shape = shape;
    tensor.data.resize(static_cast<size_t>(element_count(shape, "tensor")) * sizeof(uint16_t));
    return tensor;
}

std::vector<double> widen_to_double(const TensorRef& tensor) { return widen<double>(tensor); }
std::vector<float> widen_to_float(const TensorRef& tensor) { return widen<float>(tensor); }

}  // namespace sagejit
