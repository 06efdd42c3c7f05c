#include "arguments.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>

namespace sagejit {
namespace {

constexpr std::array<const char*, 4> kDimensions = {"batch", "heads", "len", "dim"};
constexpr int kBatch = 0, kHeads = 1, kLen = 2, kDim = 3;
constexpr size_t kElementBytes = 2;  // fp16 and bf16
constexpr size_t kWorkspaceAlignment = 256;
// Kernels multiply 32-bit token numbers by 32-bit token strides.
constexpr int64_t kMaxTokenStride = (int64_t{1} << 31) - 1;

[[noreturn, gnu::cold]] void refuse(std::string where, std::string message, std::string fix = {}) {
    throw Error(ErrorCode::kInvalidArgument, std::move(message), std::move(where), std::move(fix));
}

std::string dimension(const char* tensor, int axis) {
    return fmt::format("{}.shape[{}] ({})", tensor, axis, kDimensions[axis]);
}

std::string stride_of(const char* tensor, int axis) {
    return fmt::format("{}.strides[{}] ({})", tensor, axis, kDimensions[axis]);
}

// An error unless two tensors have the same size on an axis.
void check_same(const char* name, const TensorRef& tensor, int axis, const char* other_name,
                const TensorRef& other, int other_axis) {
    if (tensor.shape[axis] == other.shape[other_axis]) return;
    refuse(dimension(name, axis),
           fmt::format("expected {} as in {}, got {}", other.shape[other_axis],
                       dimension(other_name, other_axis), tensor.shape[axis]));
}

void check_not_negative(const char* name, const TensorRef& tensor) {
    for (int axis = 0; axis < 4; ++axis) {
        if (tensor.shape[axis] < 0) {
            refuse(dimension(name, axis),
                   fmt::format("expected 0 or more, got {}", tensor.shape[axis]));
        }
    }
}

// Of counts. 32-bit division where that is enough: it is several times as fast.
bool is_multiple(int64_t value, int64_t divisor) {
    if (divisor == 0) return false;
    if ((value | divisor) <= UINT32_MAX) {
        return static_cast<uint32_t>(value) % static_cast<uint32_t>(divisor) == 0;
    }
    return value % divisor == 0;
}

bool is_empty(const TensorRef& tensor) {
    return std::count(tensor.shape.begin(), tensor.shape.end(), 0) > 0;
}

// The launch path comes through here, so text is only put together once something is wrong.
template <size_t alignment>
void check_aligned(const char* name, const char* member, const void* pointer) {
    if (reinterpret_cast<uintptr_t>(pointer) % alignment == 0) return;
    refuse(fmt::format("{}{}", name, member),
           fmt::format("expected a pointer aligned to {} bytes, got {}", alignment,
                       fmt::ptr(pointer)));
}

// Strides the kernels can follow, with every offset in 64 bits.
void check_strides(const char* name, const TensorRef& tensor) {
    int64_t last = 0;  // offset of the last element, in elements
    for (int axis = 0; axis < 4; ++axis) {
        const int64_t size = tensor.shape[axis], stride = tensor.strides[axis];
        if (size == 1) continue;  // never multiplied by anything but 0
        const auto where = [name, axis] { return stride_of(name, axis); };
        if (axis == kDim && stride != 1) {
            refuse(where(), fmt::format("expected 1, got {}", stride),
                   "make the last dimension contiguous");
        }
        if (stride < 0) refuse(where(), fmt::format("expected 0 or more, got {}", stride));
        if (axis == kLen && stride > kMaxTokenStride) {
            refuse(where(), fmt::format("expected at most {}, got {}", kMaxTokenStride, stride));
        }
        int64_t extent = 0;
        if (__builtin_mul_overflow(size - 1, stride, &extent) ||
            __builtin_add_overflow(last, extent, &last) ||
            last > INT64_MAX / static_cast<int64_t>(kElementBytes) - 1) {
            refuse(where(), fmt::format("{} elements this far apart exceed 64-bit addresses: {}",
                                        size, stride));
        }
    }
}

// Different elements must not share memory: going from the closest to the farthest axis, each
// step must leap over all that the closer ones span.
void check_no_overlap(const char* name, const TensorRef& tensor) {
    std::array<int, 4> axes = {kDim, kLen, kHeads, kBatch};  // mostly in order already
    std::sort(axes.begin(), axes.end(),
              [&](int a, int b) { return tensor.strides[a] < tensor.strides[b]; });
    int64_t span = 1;  // elements from the first to the last, both counted
    for (const int axis : axes) {
        if (tensor.shape[axis] == 1) continue;
        if (tensor.strides[axis] < span) {
            refuse(stride_of(name, axis),
                   fmt::format("expected at least {}, so that no two elements are in one place, "
                               "got {} (shape [{}], strides [{}])",
                               span, tensor.strides[axis], fmt::join(tensor.shape, ", "),
                               fmt::join(tensor.strides, ", ")));
        }
        span += (tensor.shape[axis] - 1) * tensor.strides[axis];
    }
}

void check_layout(const char* name, const TensorRef& tensor, DataType dtype, int dim) {
    if (tensor.dtype != dtype) {
        refuse(fmt::format("{}.dtype", name),
               fmt::format("expected {}, got {}", to_string(dtype), to_string(tensor.dtype)));
    }
    if (tensor.shape[kDim] != dim) {
        refuse(dimension(name, kDim), fmt::format("expected {}, got {}", dim, tensor.shape[kDim]));
    }
    if (!is_empty(tensor)) check_strides(name, tensor);  // else never read or written
}

void check_pointer(const char* name, const TensorRef& tensor) {
    const bool good =
        tensor.data != nullptr && reinterpret_cast<uintptr_t>(tensor.data) % kElementBytes == 0;
    if (good || is_empty(tensor)) return;
    if (tensor.data == nullptr) {
        refuse(fmt::format("{}.data", name), fmt::format("expected memory for shape [{}], got null",
                                                         fmt::join(tensor.shape, ", ")));
    }
    check_aligned<kElementBytes>(name, ".data", tensor.data);
}

}  // namespace

TensorRef TensorRef::contiguous(void* data, DataType dtype, std::array<int64_t, 4> shape) {
    TensorRef tensor{data, dtype, shape, {}};
    int64_t stride = 1;
    for (int axis = kDim; axis >= 0; --axis) {
        tensor.strides[axis] = stride;
        stride *= std::max<int64_t>(shape[axis], 1);
    }
    return tensor;
}

float default_logit_scale(int head_dim) { return 1.0f / std::sqrt(static_cast<float>(head_dim)); }

Shape shape_of(const Arguments& arguments) {
    const auto& [q, k, v, o, lse, logit_scale] = arguments;
    check_not_negative("q", q);
    check_not_negative("k", k);
    check_not_negative("v", v);
    check_not_negative("o", o);
    check_same("k", k, kBatch, "q", q, kBatch);
    check_same("k", k, kDim, "q", q, kDim);
    check_same("v", v, kBatch, "q", q, kBatch);
    check_same("v", v, kHeads, "k", k, kHeads);
    check_same("v", v, kLen, "k", k, kLen);
    check_same("o", o, kBatch, "q", q, kBatch);
    check_same("o", o, kHeads, "q", q, kHeads);
    check_same("o", o, kLen, "q", q, kLen);
    check_same("o", o, kDim, "v", v, kDim);
    const int64_t heads_q = q.shape[kHeads], heads_kv = k.shape[kHeads];
    if (heads_q > 0 && !is_multiple(heads_q, heads_kv)) {
        refuse(dimension("q", kHeads), fmt::format("expected a multiple of {}, which is {}, got {}",
                                                   dimension("k", kHeads), heads_kv, heads_q));
    }
    return {q.shape[kBatch], heads_q, heads_kv, q.shape[kLen], k.shape[kLen]};
}

void check_layouts(const Plan& plan, const Arguments& arguments) {
    const Spec& spec = plan.spec;
    check_layout("q", arguments.q, spec.dtype, spec.head_dim);
    check_layout("k", arguments.k, spec.dtype, spec.head_dim);
    check_layout("v", arguments.v, spec.dtype, spec.head_dim_v);
    check_layout("o", arguments.o, spec.output_dtype, spec.head_dim_v);
    if (!is_empty(arguments.o)) check_no_overlap("o", arguments.o);
}

void check_values(const Plan& plan, const Arguments& arguments, const Shape& shape) {
    const Spec& spec = plan.spec;
    check_pointer("q", arguments.q);
    check_pointer("k", arguments.k);
    check_pointer("v", arguments.v);
    check_pointer("o", arguments.o);
    const bool has_rows = shape.batch > 0 && shape.heads_q > 0 && shape.len_q > 0;
    if (spec.lse && arguments.lse == nullptr && has_rows) {
        refuse("lse",
               fmt::format("expected memory for {} floats, since the spec asks for lse, got null",
                           shape.batch * shape.heads_q * shape.len_q));
    }
    if (!spec.lse && arguments.lse != nullptr) {
        refuse("lse", "expected null, since the spec does not ask for lse, got a pointer",
               "set \"lse\": true in the config");
    }
    check_aligned<alignof(float)>("lse", "", arguments.lse);
    if (!std::isfinite(arguments.logit_scale)) {
        refuse("logit_scale",
               fmt::format("expected a finite number, got {}", arguments.logit_scale),
               "it is usually default_logit_scale(head_dim)");
    }
}

void check_workspace(const void* workspace, size_t bytes, size_t needed) {
    if (needed == 0) return;
    if (workspace == nullptr) {
        refuse("workspace", fmt::format("expected {} bytes of device memory, got null", needed));
    }
    if (bytes < needed) {
        refuse("workspace_bytes", fmt::format("expected at least {}, got {}", needed, bytes),
               "allocate Kernel::workspace_size(shape)");
    }
    check_aligned<kWorkspaceAlignment>("workspace", "", workspace);
}

}  // namespace sagejit
