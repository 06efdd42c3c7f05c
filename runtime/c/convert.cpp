#include "convert.h"

#include <fmt/format.h>

#include <algorithm>

#include "status.h"

namespace sagejit::c {

Device to_device(sagejit_device device, const char* name) {
    if (device.type == SAGEJIT_DEVICE_CUDA) return Device::cuda(device.ordinal);
    if (device.type != SAGEJIT_DEVICE_BEST && device.type != SAGEJIT_DEVICE_HOST) {
        refuse(fmt::format("{}.type", name),
               fmt::format("expected SAGEJIT_DEVICE_BEST, _HOST or _CUDA, got {}", device.type));
    }
    if (device.ordinal != 0) {
        refuse(fmt::format("{}.ordinal", name), fmt::format("expected 0, got {}", device.ordinal),
               "only SAGEJIT_DEVICE_CUDA is numbered");
    }
    return device.type == SAGEJIT_DEVICE_HOST ? Device::host() : Device::best();
}

sagejit_device from_device(const Device& device) {
    if (device.is_host()) return {SAGEJIT_DEVICE_HOST, 0};
    return {SAGEJIT_DEVICE_CUDA, device.ordinal()};
}

TensorRef to_tensor(const sagejit_tensor& tensor, const char* name) {
    if (tensor.reserved != 0) {
        refuse(fmt::format("{}.reserved", name),
               fmt::format("expected 0, got {}", tensor.reserved));
    }
    TensorRef ref;
    switch (tensor.dtype) {
        case SAGEJIT_FP16:
            ref.dtype = DataType::kFp16;
            break;
        case SAGEJIT_BF16:
            ref.dtype = DataType::kBf16;
            break;
        default:
            refuse(fmt::format("{}.dtype", name),
                   fmt::format("expected SAGEJIT_FP16 or SAGEJIT_BF16, got {}", tensor.dtype));
    }
    ref.data = tensor.data;
    std::copy_n(tensor.shape, 4, ref.shape.begin());
    std::copy_n(tensor.strides, 4, ref.strides.begin());
    return ref;
}

}  // namespace sagejit::c

sagejit_status sagejit_device_parse(const char* text, sagejit_device* device) {
    using namespace sagejit;
    return c::guarded([&] {
        const std::string name = c::required(text, "text");
        *c::required(device, "device") =
            c::from_device(name == "best" ? Device::best() : Device::parse(name));
    });
}

sagejit_tensor sagejit_tensor_contiguous(void* data, int32_t dtype, int64_t batch, int64_t heads,
                                         int64_t len, int64_t dim) {
    // Which data type makes no difference to the strides.
    const auto ref =
        sagejit::TensorRef::contiguous(data, sagejit::DataType::kFp16, {batch, heads, len, dim});
    sagejit_tensor tensor{data, dtype, 0, {}, {}};
    std::copy(ref.shape.begin(), ref.shape.end(), tensor.shape);
    std::copy(ref.strides.begin(), ref.strides.end(), tensor.strides);
    return tensor;
}
