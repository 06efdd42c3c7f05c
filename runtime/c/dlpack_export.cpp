// DLPack tensors for others: of memory allocated here, or of the caller's.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <type_traits>
#include <vector>

#include "convert.h"
#include "dlpack_layout.h"
#include "options.h"
#include "sagejit/device_buffer.h"
#include "status.h"

namespace sagejit::c {
namespace {

constexpr int kMaxDimensions = 8;

// A DLPack structure with all that it points to; its deleter deletes it.
template <typename Managed>
struct Exported {
    Managed managed{};
    std::vector<int64_t> shape, strides;
    DeviceBuffer memory;                // empty where the memory is the caller's
    void* owner = nullptr;              // of the caller's memory,
    sagejit_release release = nullptr;  // and what gives it back

    ~Exported() {
        if (release != nullptr) release(owner);
    }
};

struct ElementType {
    uint8_t code, bits;
};

ElementType element_type(int32_t dtype, const char* where) {
    switch (dtype) {
        case SAGEJIT_FP16:
            return {kDlpackFloat, 16};
        case SAGEJIT_BF16:
            return {kDlpackBfloat, 16};
        case SAGEJIT_FP32:
            return {kDlpackFloat, 32};
        default:
            refuse(where, fmt::format("expected SAGEJIT_FP16, _BF16 or _FP32, got {}", dtype));
    }
}

// Fills the structure; data, shape and strides are in place.
template <typename Managed>
Managed* finish(std::unique_ptr<Exported<Managed>> exported, void* data, sagejit_device device,
                ElementType type) {
    Managed& managed = exported->managed;
    DlpackTensor& tensor = managed.dl_tensor;
    tensor.data = data;
    tensor.device_type = device.type;  // numbered alike
    tensor.device_id = device.ordinal;
    tensor.ndim = static_cast<int32_t>(exported->shape.size());
    tensor.code = type.code;
    tensor.bits = type.bits;
    tensor.lanes = 1;
    tensor.shape = exported->shape.data();
    tensor.strides = exported->strides.data();
    if constexpr (std::is_same_v<Managed, DLManagedTensorVersioned>) {
        managed.major = kDlpackMajor;
        managed.minor = kDlpackMinor;
    }
    managed.manager_ctx = exported.get();
    managed.deleter = [](Managed* self) {
        if (self != nullptr) delete static_cast<Exported<Managed>*>(self->manager_ctx);
    };
    return &exported.release()->managed;
}

template <typename Managed>
void wrap(const sagejit_tensor* tensor, sagejit_device device, void* owner, sagejit_release release,
          Managed** managed) {
    const sagejit_tensor& given = *required(tensor, "tensor");
    required(managed, "managed");
    check_reserved("tensor.reserved", given.reserved);
    if (device.type == SAGEJIT_DEVICE_BEST) {
        refuse("device.type", "expected SAGEJIT_DEVICE_HOST or _CUDA, where the memory is");
    }
    to_device(device);
    const ElementType type = element_type(given.dtype, "tensor.dtype");
    auto exported = std::make_unique<Exported<Managed>>();
    exported->shape.assign(given.shape, given.shape + 4);
    exported->strides.assign(given.strides, given.strides + 4);
    for (int axis = 0; axis < 4; ++axis) {
        if (given.shape[axis] < 0) {
            refuse(fmt::format("tensor.shape[{}]", axis),
                   fmt::format("expected 0 or more, got {}", given.shape[axis]));
        }
    }
    exported->owner = owner;
    exported->release = release;
    *managed = finish(std::move(exported), given.data, device, type);
}

template <typename Managed>
void allocate(sagejit_device device, int32_t dtype, int32_t ndim, const int64_t* shape,
              Managed** managed) {
    required(shape, "shape");
    required(managed, "managed");
    if (ndim < 1 || ndim > kMaxDimensions) {
        refuse("ndim", fmt::format("expected 1 to {}, got {}", kMaxDimensions, ndim));
    }
    const ElementType type = element_type(dtype, "dtype");
    auto exported = std::make_unique<Exported<Managed>>();
    exported->shape.assign(shape, shape + ndim);
    exported->strides.assign(ndim, 1);
    size_t bytes = type.bits / 8;  // of all behind this axis, empty ones counted as 1
    bool empty = false;
    int64_t stride = 1;
    for (int axis = ndim - 1; axis >= 0; --axis) {
        const int64_t size = shape[axis];
        const auto where = [axis] { return fmt::format("shape[{}]", axis); };
        if (size < 0) refuse(where(), fmt::format("expected 0 or more, got {}", size));
        exported->strides[axis] = stride;
        empty = empty || size == 0;
        const int64_t counted = std::max<int64_t>(size, 1);
        if (__builtin_mul_overflow(bytes, counted, &bytes) ||
            __builtin_mul_overflow(stride, counted, &stride)) {
            refuse(where(), "more bytes than 64 bits count");
        }
    }
    const Device where = to_device(device);
    exported->memory = DeviceBuffer(where, empty ? 0 : bytes);
    void* const data = exported->memory.data();
    *managed = finish(std::move(exported), data, from_device(where), type);
}

}  // namespace
}  // namespace sagejit::c

using namespace sagejit;

sagejit_status sagejit_tensor_to_dlpack(const sagejit_tensor* tensor, sagejit_device device,
                                        void* owner, sagejit_release release,
                                        DLManagedTensor** managed) {
    return c::guarded([&] { c::wrap(tensor, device, owner, release, managed); });
}

sagejit_status sagejit_tensor_to_dlpack_versioned(const sagejit_tensor* tensor,
                                                  sagejit_device device, void* owner,
                                                  sagejit_release release,
                                                  DLManagedTensorVersioned** managed) {
    return c::guarded([&] { c::wrap(tensor, device, owner, release, managed); });
}

sagejit_status sagejit_dlpack_new(sagejit_device device, int32_t dtype, int32_t ndim,
                                  const int64_t* shape, DLManagedTensor** managed) {
    return c::guarded([&] { c::allocate(device, dtype, ndim, shape, managed); });
}

sagejit_status sagejit_dlpack_new_versioned(sagejit_device device, int32_t dtype, int32_t ndim,
                                            const int64_t* shape,
                                            DLManagedTensorVersioned** managed) {
    return c::guarded([&] { c::allocate(device, dtype, ndim, shape, managed); });
}
