// Tensors for sagejit::attention on a device, and the exact answer.
#pragma once

#include <vector>

#include "reference/attention.h"
#include "reference/metrics.h"
#include "sagejit/attention.h"
#include "sagejit/device_buffer.h"
#include "tensor/half.h"

namespace sagejit::test {

// Contiguous tensors of numbers in [-1, 1), other ones for each seed.
class AttentionTensors {
  public:
    AttentionTensors(const Device& device, const Shape& shape, int head_dim, int head_dim_v,
                     DataType dtype = DataType::kFp16, uint32_t seed = 0)
        : shape_(shape), dtype_(dtype) {
        q = make(device, {shape.batch, shape.heads_q, shape.len_q, head_dim}, seed + 1);
        k = make(device, {shape.batch, shape.heads_kv, shape.len_k, head_dim}, seed + 2);
        v = make(device, {shape.batch, shape.heads_kv, shape.len_k, head_dim_v}, seed + 3);
        out = make(device, {shape.batch, shape.heads_q, shape.len_q, head_dim_v}, seed + 4);
        const size_t rows = static_cast<size_t>(shape.batch * shape.heads_q * shape.len_q);
        buffers_.emplace_back(device, rows * sizeof(float));
        lse = static_cast<float*>(buffers_.back().data());
    }

    TensorRef q, k, v, out;
    float* lse = nullptr;

    // Takes the contents of another's q, k and v, of the same sizes.
    void copy_inputs(const AttentionTensors& other) {
        for (size_t i = 0; i < 3; ++i) {
            buffers_[i].copy_from(other.buffers_[i], buffers_[i].bytes());
            contents_[i] = other.contents_[i];
        }
    }

    // What was written. Wait for the legacy stream.
    std::vector<uint16_t> output() const {
        std::vector<uint16_t> bits(buffers_[3].bytes() / 2);
        buffers_[3].download(bits.data(), buffers_[3].bytes());
        return bits;
    }
    std::vector<float> written_lse() const {
        std::vector<float> values(buffers_[4].bytes() / sizeof(float));
        buffers_[4].download(values.data(), buffers_[4].bytes());
        return values;
    }

    AttentionResult exact(CausalMode causal, double logit_scale) const {
        AttentionProblem problem{shape_,       q.shape[3],   v.shape[3],  logit_scale,
                                 contents_[0], contents_[1], contents_[2]};
        return exact_attention(problem, causal);
    }
    Metrics compare_output(const AttentionResult& exact) const {
        return compare(exact.o, widen_to_double(output(), dtype_));
    }

  private:
    TensorRef make(const Device& device, std::array<int64_t, 4> shape, uint32_t seed) {
        size_t count = 1;
        for (const int64_t size : shape) count *= static_cast<size_t>(size);
        std::vector<uint16_t> bits(count);
        uint32_t state = seed * 7919;
        for (uint16_t& each : bits) {
            state = state * 1664525u + 1013904223u;
            each = half_from_double((static_cast<int>(state >> 22) - 512) / 512.0, dtype_);
        }
        contents_.push_back(widen_to_double(bits, dtype_));
        buffers_.emplace_back(device, count * 2);
        buffers_.back().upload(bits.data(), count * 2);
        return TensorRef::contiguous(buffers_.back().data(), dtype_, shape);
    }

    Shape shape_;
    DataType dtype_;
    std::vector<DeviceBuffer> buffers_;          // q, k, v, out, lse
    std::vector<std::vector<double>> contents_;  // of the first four
};

}  // namespace sagejit::test
