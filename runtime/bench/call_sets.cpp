#include "bench/call_sets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tensor/half.h"

namespace sagejit {
namespace {

constexpr int kFewestSets = 2;
constexpr int kMostSets = 64;
constexpr size_t kLooked = size_t{1} << 20;  // bytes looked at at either end of an output

std::array<int64_t, 4> q_shape(const Spec& spec, const Shape& shape) {
    return {shape.batch, shape.heads_q, shape.len_q, spec.head_dim};
}
std::array<int64_t, 4> k_shape(const Spec& spec, const Shape& shape) {
    return {shape.batch, shape.heads_kv, shape.len_k, spec.head_dim};
}
std::array<int64_t, 4> v_shape(const Spec& spec, const Shape& shape) {
    return {shape.batch, shape.heads_kv, shape.len_k, spec.head_dim_v};
}
std::array<int64_t, 4> o_shape(const Spec& spec, const Shape& shape) {
    return {shape.batch, shape.heads_q, shape.len_q, spec.head_dim_v};
}

size_t half_bytes(const std::array<int64_t, 4>& shape) {
    return static_cast<size_t>(shape[0] * shape[1] * shape[2] * shape[3]) * sizeof(uint16_t);
}

size_t lse_bytes(const Spec& spec, const Shape& shape) {
    if (!spec.lse) return 0;
    return static_cast<size_t>(shape.batch * shape.heads_q * shape.len_q) * sizeof(float);
}

size_t input_bytes(const Spec& spec, const Shape& shape) {
    return half_bytes(q_shape(spec, shape)) + half_bytes(k_shape(spec, shape)) +
           half_bytes(v_shape(spec, shape));
}

bool all_finite(const DeviceBuffer& buffer, size_t offset, size_t bytes, DataType dtype) {
    std::vector<uint16_t> bits(bytes / sizeof(uint16_t));
    buffer.download(bits.data(), bytes, offset);
    return std::all_of(bits.begin(), bits.end(), [dtype](uint16_t value) {
        return std::isfinite(half_to_float(value, dtype));
    });
}

}  // namespace

size_t OperandSets::bytes_per_set(const Spec& spec, const Shape& shape) {
    return input_bytes(spec, shape) + half_bytes(o_shape(spec, shape)) + lse_bytes(spec, shape);
}

int OperandSets::choose_count(const Spec& spec, const Shape& shape, size_t workspace,
                              size_t l2_bytes, size_t memory_bytes) {
    const size_t each = bytes_per_set(spec, shape) + workspace;
    const size_t room = memory_bytes / std::max<size_t>(each, 1);
    if (room < kFewestSets) {
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("{} sets of {} bytes do not fit into the device's memory",
                                kFewestSets, each),
                    "shape", "choose a smaller shape");
    }
    // Attention reads quantized operands about half the size of its inputs; V may be as it came.
    const size_t read = std::max<size_t>(input_bytes(spec, shape) / 2, 1);
    const size_t past_cache = 2 * l2_bytes / read + 1;
    return static_cast<int>(std::min(
        {std::max<size_t>(past_cache, kFewestSets), room, static_cast<size_t>(kMostSets)}));
}

OperandSets::OperandSets(const Device& device, const Spec& spec, const Shape& shape, int count,
                         const RandomPool& pool)
    : output_dtype_(spec.output_dtype) {
    for (int i = 0; i < count; ++i) {
        Set set{DeviceBuffer(device, half_bytes(q_shape(spec, shape))),
                DeviceBuffer(device, half_bytes(k_shape(spec, shape))),
                DeviceBuffer(device, half_bytes(v_shape(spec, shape))),
                DeviceBuffer(device, half_bytes(o_shape(spec, shape))),
                DeviceBuffer(device, lse_bytes(spec, shape)),
                {}};
        const auto stream = static_cast<uint64_t>(3 * i);
        pool.fill(set.q, stream);
        pool.fill(set.k, stream + 1);
        pool.fill(set.v, stream + 2);
        set.arguments = {
            TensorRef::contiguous(set.q.data(), spec.dtype, q_shape(spec, shape)),
            TensorRef::contiguous(set.k.data(), spec.dtype, k_shape(spec, shape)),
            TensorRef::contiguous(set.v.data(), spec.dtype, v_shape(spec, shape)),
            TensorRef::contiguous(set.o.data(), spec.output_dtype, o_shape(spec, shape)),
            static_cast<float*>(set.lse.data()),
            default_logit_scale(spec.head_dim)};
        sets_.push_back(std::move(set));
    }
}

void OperandSets::poison_outputs() {
    for (Set& set : sets_) set.o.fill(0xFF);  // NaN in both formats
}

bool OperandSets::outputs_finite() const {
    return std::all_of(sets_.begin(), sets_.end(), [this](const Set& set) {
        const size_t bytes = std::min(kLooked, set.o.bytes());
        return all_finite(set.o, 0, bytes, output_dtype_) &&
               all_finite(set.o, set.o.bytes() - bytes, bytes, output_dtype_);
    });
}

CallSets::CallSets(const Kernel& kernel, const OperandSets& operands, const Shape& shape,
                   const Stream& stream)
    : kernel_(kernel),
      operands_(operands),
      stream_(stream),
      workspace_bytes_(kernel.workspace_size(shape)) {
    for (int i = 0; i < operands.count(); ++i) {
        workspaces_.emplace_back(kernel.device(), workspace_bytes_);
        launch(Phase::kWholeCall, i);
    }
    stream.synchronize();
}

void CallSets::launch(Phase phase, int64_t index) const {
    const auto set = static_cast<int>(index % operands_.count());
    KernelPhases::launch(kernel_, phase, operands_.arguments(set), workspaces_[set].data(),
                         workspace_bytes_, stream_.handle());
}

}  // namespace sagejit
