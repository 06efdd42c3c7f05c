#include "far_tensors.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <vector>

#include "cases.h"
#include "placement.h"
#include "sagejit/device_buffer.h"

namespace sagejit::test {
namespace {

constexpr int64_t kElementBytes = 2;
constexpr int64_t kTooFar = int64_t{1} << 31;  // elements

Placement place_far(const std::array<int64_t, 4>& shape, Far far) {
    const auto [batch, heads, len, dim] = shape;
    const int64_t steps = (far == Far::kHeads ? heads : len) - 1;
    const int64_t apart = kTooFar / steps / 64 * 64 + 64;
    Placement result;
    result.shape = shape;
    result.strides = far == Far::kHeads ? std::array<int64_t, 4>{len * dim, apart, dim, 1}
                                        : std::array<int64_t, 4>{heads * dim, dim, apart, 1};
    result.extent = result.row(batch - 1, heads - 1, len - 1) + dim;
    return result;
}

// One tensor, rows of which are all that is read or written.
class FarTensor {
  public:
    FarTensor(const Device& device, DataType dtype, const std::array<int64_t, 4>& shape, Far far)
        : dtype_(dtype),
          place_(place_far(shape, far)),
          buffer_(device, static_cast<size_t>(place_.extent * kElementBytes)) {}

    TensorRef ref() const { return {buffer_.data(), dtype_, place_.shape, place_.strides}; }

    void upload(const HostTensor& tensor) {
        for_each_row(place_, [&](int64_t index, int64_t row) {
            buffer_.upload(tensor.bits().data() + index * place_.shape[3], row_bytes(),
                           static_cast<size_t>(row * kElementBytes));
        });
    }
    HostTensor download() const {
        HostTensor tensor = make_host_tensor(dtype_, place_.shape);
        for_each_row(place_, [&](int64_t index, int64_t row) {
            buffer_.download(tensor.bits().data() + index * place_.shape[3], row_bytes(),
                             static_cast<size_t>(row * kElementBytes));
        });
        return tensor;
    }

  private:
    size_t row_bytes() const { return static_cast<size_t>(place_.shape[3] * kElementBytes); }

    DataType dtype_;
    Placement place_;
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
