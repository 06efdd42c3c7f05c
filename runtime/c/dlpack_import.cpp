// DLPack tensors as views.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "dlpack_layout.h"
#include "sagejit.h"
#include "status.h"

namespace sagejit::c {
namespace {

static_assert(sizeof(DlpackTensor) == 48 && sizeof(DLManagedTensor) == 64 &&
              sizeof(DLManagedTensorVersioned) == 80);

sagejit_device device_of(const DlpackTensor& source) {
    switch (source.device_type) {
        case kDlpackCpu:
        case kDlpackCudaHost:
            return {SAGEJIT_DEVICE_HOST, 0};
        case kDlpackCuda:
        case kDlpackCudaManaged:
            return {SAGEJIT_DEVICE_CUDA, source.device_id};
        default:
            refuse("dl_tensor.device",
                   fmt::format("memory of device type {} cannot be used", source.device_type),
                   "expected kDLCPU, kDLCUDA, kDLCUDAHost or kDLCUDAManaged");
    }
}

int32_t dtype_of(const DlpackTensor& source) {
    if (source.lanes == 1 && source.bits == 16) {
        if (source.code == kDlpackFloat) return SAGEJIT_FP16;
        if (source.code == kDlpackBfloat) return SAGEJIT_BF16;
    }
    if (source.lanes == 1 && source.bits == 32 && source.code == kDlpackFloat) return SAGEJIT_FP32;
    refuse("dl_tensor.dtype",
           fmt::format("expected fp16, bf16 or fp32, got code {} with {} bits and {} lanes",
                       source.code, source.bits, source.lanes));
}

void copy_shape(const DlpackTensor& source, sagejit_tensor& tensor) {
    if (source.ndim != 3 && source.ndim != 4) {
        refuse("dl_tensor.ndim", fmt::format("expected 4 or 3 dimensions, got {}", source.ndim));
    }
    required(source.shape, "dl_tensor.shape");
    std::fill_n(tensor.shape, 4, 1);
    std::fill_n(tensor.strides, 4, 1);
    int64_t stride = 1;
    for (int axis = source.ndim - 1; axis >= 0; --axis) {
        const int64_t size = source.shape[axis];
        if (size < 0) {
            refuse(fmt::format("dl_tensor.shape[{}]", axis),
                   fmt::format("expected 0 or more, got {}", size));
        }
        tensor.shape[axis] = size;
        tensor.strides[axis] = source.strides != nullptr ? source.strides[axis] : stride;
        if (__builtin_mul_overflow(stride, std::max<int64_t>(size, 1), &stride)) {
            refuse("dl_tensor.shape", "more elements than 64 bits count");
        }
    }
}

sagejit_tensor view(const DlpackTensor& source, int32_t access, bool read_only,
                    sagejit_device& device) {
    if (access != SAGEJIT_READ && access != SAGEJIT_WRITE) {
        refuse("access", fmt::format("expected SAGEJIT_READ or SAGEJIT_WRITE, got {}", access));
    }
    if (access == SAGEJIT_WRITE && read_only) {
        refuse("dl_tensor", "the tensor is marked read-only", "copy it, or pass another output");
    }
    sagejit_tensor tensor{};
    device = device_of(source);
    tensor.dtype = dtype_of(source);
    copy_shape(source, tensor);
    if (source.data != nullptr) {
        tensor.data = static_cast<unsigned char*>(source.data) + source.byte_offset;
    }
    return tensor;
}

void import(const DlpackTensor& source, int32_t access, bool read_only, sagejit_tensor* tensor,
            sagejit_device* device) {
    required(tensor, "tensor");
    sagejit_device where{};
    *tensor = view(source, access, read_only, where);
    if (device != nullptr) *device = where;
}

}  // namespace
}  // namespace sagejit::c

using namespace sagejit;

sagejit_status sagejit_tensor_from_dlpack(const DLManagedTensor* managed, int32_t access,
                                          sagejit_tensor* tensor, sagejit_device* device) {
    return c::guarded([&] {
        c::import(c::required(managed, "managed")->dl_tensor, access, false, tensor, device);
    });
}

sagejit_status sagejit_tensor_from_dlpack_versioned(const DLManagedTensorVersioned* managed,
                                                    int32_t access, sagejit_tensor* tensor,
                                                    sagejit_device* device) {
    return c::guarded([&] {
        const DLManagedTensorVersioned& source = *c::required(managed, "managed");
        if (source.major != kDlpackMajor) {
            c::refuse("managed.version",
                      fmt::format("DLPack {}.{} is laid out in another way than {}.x", source.major,
                                  source.minor, static_cast<int>(kDlpackMajor)),
                      "call its deleter, and ask the producer for version 1");
        }
        c::import(source.dl_tensor, access, (source.flags & kDlpackReadOnly) != 0, tensor, device);
    });
}
