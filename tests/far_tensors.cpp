#include "far_tensors.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <vector>

#include "cases.h"
#include "sagejit/device_buffer.h"

namespace sagejit::test {
namespace {

constexpr int64_t kElementBytes = 2;
constexpr int64_t kTooFar = int64_t{1} << 31;  // elements

// One tensor, rows of which are all that is read or written.
class FarTensor {
  public:
    FarTensor(const Device& device, DataType dtype, std::array<int64_t, 4> shape, Far far)
        : dtype_(dtype), shape_(shape) {
        const auto [batch, heads, len, dim] = shape;
        const int64_t apart = kTooFar / (far == Far::kHeads ? heads - 1 : len - 1) / 64 * 64 + 64;
        if (far == Far::kHeads) {
            strides_ = {len * dim, apart, dim, 1};
        } else {
            strides_ = {heads * dim, dim, apart, 1};
        }
        buffer_ =
            DeviceBuffer(device, static_cast<size_t>(element(batch - 1, heads - 1, len - 1) + dim) *
                                     kElementBytes);
    }

    // Whether the last row begins where 32 bits do not reach.
    bool is_far() const { return element(shape_[0] - 1, shape_[1] - 1, shape_[2] - 1) > kTooFar; }
    TensorRef ref() const { return {buffer_.data(), dtype_, shape_, strides_}; }

    void upload(const HostTensor& tensor) {
        for_each_row([&](int64_t index, size_t offset) {
            buffer_.upload(tensor.bits().data() + index * shape_[3], row_bytes(), offset);
        });
    }
    HostTensor download() const {
        HostTensor tensor = make_host_tensor(dtype_, shape_);
        for_each_row([&](int64_t index, size_t offset) {
            buffer_.download(tensor.bits().data() + index * shape_[3], row_bytes(), offset);
        });
        return tensor;
    }

  private:
    int64_t element(int64_t b, int64_t h, int64_t t) const {
        return b * strides_[0] + h * strides_[1] + t * strides_[2];
    }
    size_t row_bytes() const { return static_cast<size_t>(shape_[3] * kElementBytes); }

    template <class Body>
    void for_each_row(const Body& body) const {
        int64_t index = 0;
        for (int64_t b = 0; b < shape_[0]; ++b) {
            for (int64_t h = 0; h < shape_[1]; ++h) {
                for (int64_t t = 0; t < shape_[2]; ++t) {
                    body(index++, static_cast<size_t>(element(b, h, t) * kElementBytes));
                }
            }
        }
    }

    DataType dtype_;
    std::array<int64_t, 4> shape_{}, strides_{};
    DeviceBuffer buffer_;
};

}  // namespace

std::vector<Case> far_cases() {
    std::vector<Case> cases;
    for (const char* target : {"sm_90", "sm_90a"}) {
        for (const PvType pv : {PvType::kFp16, PvType::kInt8, PvType::kBf16, PvType::kFp8}) {
            const bool hopper = std::string_view(target) == "sm_90a";
            if (hopper ? pv == PvType::kInt8 : pv == PvType::kFp8 || pv == PvType::kBf16) continue;
            Case c;
            c.spec = make_spec(128, Granularity::kThread, CausalMode::kBottomRight);
            c.spec.target = target;
            c.spec.pv_type = pv;
            if (pv == PvType::kInt8) c.spec.pv_accum = PvAccum::kFp32PromoteInt32;
            if (pv == PvType::kBf16) c.spec.dtype = c.spec.output_dtype = DataType::kBf16;
            if (pv == PvType::kFp8) {
                c.spec.pv_accum = PvAccum::kFp32PromoteFp32;
                c.spec.smooth_v = true;
            }
            c.shape = {1, 4, 2, 260, 300};
            cases.push_back(c);
        }
    }
    return cases;
}

std::string far_difference(const Case& c, const Device& device, Far far) {
    const Kernel& kernel = kernel_for(c, device);
    const AttentionInput input = draw(c);
    const Outcome near = run_case(kernel, c, input);

    FarTensor q(device, c.spec.dtype, input.q.shape, far);
    FarTensor k(device, c.spec.dtype, input.k.shape, far);
    FarTensor v(device, c.spec.dtype, input.v.shape, far);
    FarTensor o(device, c.spec.output_dtype,
                {c.shape.batch, c.shape.heads_q, c.shape.len_q, c.spec.head_dim_v}, far);
    for (const FarTensor* tensor : {&q, &k, &v, &o}) {
        if (!tensor->is_far()) return "a tensor is too short for its rows to be far apart";
    }
    q.upload(input.q);
    k.upload(input.k);
    v.upload(input.v);
    Arguments arguments;
    arguments.q = q.ref();
    arguments.k = k.ref();
    arguments.v = v.ref();
    arguments.o = o.ref();
    arguments.logit_scale = near.problem.logit_scale;
    DeviceBuffer workspace(device, kernel.workspace_size(c.shape));
    kernel.launch(arguments, workspace.data(), workspace.bytes());

    const std::vector<double> wide = widen_to_double(o.download().ref());
    size_t different = 0;
    for (size_t i = 0; i < wide.size(); ++i) different += wide[i] != near.o[i];
    return different == 0 ? "" : fmt::format("{} of {} outputs differ", different, wide.size());
}

}  // namespace sagejit::test
