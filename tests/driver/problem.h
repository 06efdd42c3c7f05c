// A small attention call with all its memory on one device.
#pragma once

#include <vector>

#include "configs.h"
#include "sagejit/device_buffer.h"
#include "sagejit/sagejit.h"

namespace sagejit::test {

// head_dim and the rest as given; tensors are contiguous and zero.
class DeviceProblem {
  public:
    DeviceProblem(const Device& device, const Plan& plan, const Shape& shape = {1, 2, 1, 100, 150})
        : q_(device, bytes(shape.batch * shape.heads_q * shape.len_q * plan.spec.head_dim)),
          k_(device, bytes(shape.batch * shape.heads_kv * shape.len_k * plan.spec.head_dim)),
          v_(device, bytes(shape.batch * shape.heads_kv * shape.len_k * plan.spec.head_dim_v)),
          o_(device, bytes(shape.batch * shape.heads_q * shape.len_q * plan.spec.head_dim_v)),
          workspace_(device, make_workspace(plan, shape).bytes) {
        q_.fill(0);
        k_.fill(0);
        v_.fill(0);
        o_.fill(1);
        const Spec& spec = plan.spec;
        const auto tensor = [](DeviceBuffer& buffer, DataType dtype, int64_t batch, int64_t heads,
                               int64_t len, int64_t dim) {
            return TensorRef::contiguous(buffer.data(), dtype, {batch, heads, len, dim});
        };
        arguments_.q =
            tensor(q_, spec.dtype, shape.batch, shape.heads_q, shape.len_q, spec.head_dim);
        arguments_.k =
            tensor(k_, spec.dtype, shape.batch, shape.heads_kv, shape.len_k, spec.head_dim);
        arguments_.v =
            tensor(v_, spec.dtype, shape.batch, shape.heads_kv, shape.len_k, spec.head_dim_v);
        arguments_.o =
            tensor(o_, spec.output_dtype, shape.batch, shape.heads_q, shape.len_q, spec.head_dim_v);
        arguments_.logit_scale = default_logit_scale(spec.head_dim);
    }

    const Arguments& arguments() const { return arguments_; }
    void* workspace() const { return workspace_.data(); }
    size_t workspace_bytes() const { return workspace_.bytes(); }
    void launch(const Kernel& kernel, void* stream = nullptr) const {
        kernel.launch(arguments_, workspace(), workspace_bytes(), stream);
    }
    // What the kernel wrote. Waits for the legacy stream.
    std::vector<unsigned char> output() const {
        std::vector<unsigned char> result(o_.bytes());
        o_.download(result.data(), result.size());
        return result;
    }

  private:
    static size_t bytes(int64_t elements) { return static_cast<size_t>(elements) * 2; }

    DeviceBuffer q_, k_, v_, o_, workspace_;
    Arguments arguments_;
};

inline Spec small_spec() { return shipped_config("thread-d64"); }

}  // namespace sagejit::test
