#include "harness.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>

#include "oracles.h"
#include "placement.h"
#include "sagejit/device_buffer.h"

namespace sagejit::test {
namespace {

constexpr uint16_t kInputGap = 0xFFFF;   // NaN in fp16 and bf16
constexpr uint16_t kOutputGap = 0x5A5A;  // what an untouched output element holds

Placement place(const std::array<int64_t, 4>& shape, Layout layout) {
    Placement result;
    result.shape = shape;
    const auto [batch, heads, len, dim] = shape;
    if (layout == Layout::kHeadMajor) {
        result.strides = {heads * len * dim, len * dim, dim, 1};
        result.extent = batch * heads * len * dim;
    } else if (layout == Layout::kOdd) {
        const int64_t pitch = dim + 3;
        result.strides = {heads * len * pitch, len * pitch, pitch, 1};
        result.first = 1;
        result.extent = 1 + batch * heads * len * pitch;
    } else {
        result.strides = {heads * len * dim, dim, heads * dim, 1};
        result.extent = batch * heads * len * dim;
    }
    return result;
}

void scatter(const HostTensor& tensor, const Placement& placement, std::vector<uint16_t>& buffer) {
    const std::span<const uint16_t> bits = tensor.bits();
    const int64_t dim = placement.shape[3];
    for_each_row(placement, [&](int64_t index, int64_t row) {
        std::copy_n(bits.begin() + index * dim, dim, buffer.begin() + row);
    });
}

// q, k and v as slices of one buffer; only where their sizes allow it.
bool place_fused(const AttentionInput& input, std::array<Placement, 3>& places) {
    const auto& q = input.q.shape;
    const auto& k = input.k.shape;
    if (q[2] != k[2] || input.v.shape[3] != q[3]) return false;
    const int64_t heads = q[1] + 2 * k[1];
    const int64_t firsts[3] = {0, q[1] * q[3], (q[1] + k[1]) * q[3]};
    for (int i = 0; i < 3; ++i) {
        places[i].shape = i == 0 ? q : k;
        places[i].strides = {q[2] * heads * q[3], q[3], heads * q[3], 1};
        places[i].first = firsts[i];
        places[i].extent = q[0] * q[2] * heads * q[3];
    }
    return true;
}

TensorRef reference_to(void* base, DataType dtype, const Placement& placement) {
    return {static_cast<uint16_t*>(base) + placement.first, dtype, placement.shape,
            placement.strides};
}

// A case's tensors in the memory of the kernel's device, ready to be launched on.
class PlacedCase {
  public:
    PlacedCase(const Kernel& kernel, const Case& c, const AttentionInput& input)
        : kernel_(kernel), c_(c) {
        place_inputs(input);
        const std::array<int64_t, 4> o_shape = {c.shape.batch, c.shape.heads_q, c.shape.len_q,
                                                c.spec.head_dim_v};
        o_place_ = place(o_shape, c.layout);
        o_ = std::make_unique<DeviceBuffer>(kernel.device(), o_place_.extent * 2);
        lse_ = std::make_unique<DeviceBuffer>(kernel.device(), rows() * sizeof(float));
        workspace_ =
            std::make_unique<DeviceBuffer>(kernel.device(), kernel.workspace_size(c.shape));
        clear();
        const auto buffer_of = [&](int i) { return inputs_[fused_ ? 0 : i].data(); };
        arguments_.q = reference_to(buffer_of(0), c.spec.dtype, places_[0]);
        arguments_.k = reference_to(buffer_of(1), c.spec.dtype, places_[1]);
        arguments_.v = reference_to(buffer_of(2), c.spec.dtype, places_[2]);
        arguments_.o = reference_to(o_->data(), c.spec.output_dtype, o_place_);
        arguments_.lse = c.spec.lse ? static_cast<float*>(lse_->data()) : nullptr;
        arguments_.logit_scale = c.logit_scale.value_or(default_logit_scale(c.spec.head_dim));
    }

    const Arguments& arguments() const { return arguments_; }

    // Everything a launch writes is as nothing has written it.
    void clear() const {
        o_->fill(kOutputGap & 0xFF);
        lse_->fill(0xFF);
        workspace_->fill(0xFF);
    }
    void launch() const { kernel_.launch(arguments_, workspace_->data(), workspace_->bytes()); }

    // Throws where a launch has changed an input.
    void check_inputs() const {
        for (size_t i = 0; i < hosts_.size(); ++i) {
            if (download<uint16_t>(inputs_[i]) != hosts_[i]) {
                throw std::runtime_error("an input was changed");
            }
        }
    }
    // The output's buffer, gaps and all.
    std::vector<uint16_t> raw_output() const { return download<uint16_t>(*o_); }
    // The output. Throws where anything between its rows was written.
    HostTensor output() const {
        std::vector<uint16_t> raw = raw_output();
        HostTensor o = make_host_tensor(c_.spec.output_dtype, o_place_.shape);
        const int64_t dim = o_place_.shape[3];
        for_each_row(o_place_, [&](int64_t index, int64_t row) {
            std::copy_n(raw.begin() + row, dim, o.bits().begin() + index * dim);
            std::fill_n(raw.begin() + row, dim, kOutputGap);
        });
        for (const uint16_t value : raw) {
            if (value != kOutputGap) {
                throw std::runtime_error("memory between output rows was changed");
            }
        }
        return o;
    }
    // Empty unless the spec has one.
    std::vector<float> lse() const {
        return c_.spec.lse ? download<float>(*lse_) : std::vector<float>();
    }
    std::vector<std::byte> workspace() const { return download<std::byte>(*workspace_); }

  private:
    size_t rows() const {
        return static_cast<size_t>(c_.shape.batch * c_.shape.heads_q * c_.shape.len_q);
    }

    void place_inputs(const AttentionInput& input) {
        const HostTensor* tensors[3] = {&input.q, &input.k, &input.v};
        fused_ = c_.layout == Layout::kFused && place_fused(input, places_);
        if (fused_) hosts_.emplace_back(places_[0].extent, kInputGap);
        for (int i = 0; i < 3; ++i) {
            if (!fused_) places_[i] = place(tensors[i]->shape, c_.layout);
            if (!fused_) hosts_.emplace_back(places_[i].extent, kInputGap);
            scatter(*tensors[i], places_[i], hosts_.back());
        }
        for (const std::vector<uint16_t>& host : hosts_) {
            inputs_.emplace_back(kernel_.device(), host.size() * 2);
            inputs_.back().upload(host.data(), host.size() * 2);
        }
    }

    template <typename Value>
    static std::vector<Value> download(const DeviceBuffer& buffer) {
        std::vector<Value> values(buffer.bytes() / sizeof(Value));
        buffer.download(values.data(), values.size() * sizeof(Value));
        return values;
    }

    const Kernel& kernel_;
    const Case& c_;
    bool fused_ = false;
    std::array<Placement, 3> places_;
    Placement o_place_;
    std::vector<std::vector<uint16_t>> hosts_;
    std::vector<DeviceBuffer> inputs_;
    std::unique_ptr<DeviceBuffer> o_, lse_, workspace_;
    Arguments arguments_;
};

}  // namespace

std::string_view to_string(Layout layout) {
    switch (layout) {
        case Layout::kHeadMajor:
            return "head_major";
        case Layout::kTokenMajor:
            return "token_major";
        case Layout::kFused:
            return "fused";
        case Layout::kOdd:
            return "odd";
    }
    return "unknown";
}

std::string describe(const Case& c) {
    Spec spec = c.spec;
    spec.name.clear();
    return fmt::format("{} shape {},{},{},{},{} {} seed {} layout {} logit_scale {} host_seed {}",
                       to_json(spec, -1), c.shape.batch, c.shape.heads_q, c.shape.heads_kv,
                       c.shape.len_q, c.shape.len_k, c.distribution, c.seed, to_string(c.layout),
                       c.logit_scale ? fmt::format("{}", *c.logit_scale) : "default", c.host_seed);
}

AttentionInput draw(const Case& c) {
    return make_input(c.distribution, c.shape, c.spec.head_dim, c.spec.head_dim_v, c.spec.dtype,
                      c.seed);
}

Outcome run_case(const Kernel& kernel, const Case& c, const AttentionInput& input) {
    Outcome outcome;
    outcome.plan = kernel.plan();
    const PlacedCase placed(kernel, c, input);
    placed.launch();
    placed.check_inputs();
    outcome.regions = make_workspace(kernel.plan(), c.shape);
    outcome.workspace = placed.workspace();
    outcome.o = widen_to_double(placed.output().ref());
    outcome.lse = placed.lse();
    AttentionInput copy = input;
    outcome.problem =
        make_problem(copy.q.ref(), copy.k.ref(), copy.v.ref(), placed.arguments().logit_scale);
    return outcome;
}

int first_unlike(const Kernel& kernel, const Case& c, const AttentionInput& input, int launches) {
    const PlacedCase placed(kernel, c, input);
    placed.launch();
    const std::vector<uint16_t> o = placed.raw_output();
    const std::vector<float> lse = placed.lse();
    placed.output();  // throws where more than the rows was written
    for (int i = 1; i < launches; ++i) {
        placed.clear();
        placed.launch();
        const std::vector<float> again = placed.lse();
        const bool same_lse =
            std::memcmp(again.data(), lse.data(), lse.size() * sizeof(float)) == 0;
        if (!same_lse || placed.raw_output() != o) return i;
    }
    placed.check_inputs();
    return 0;
}

const Kernel& kernel_for(const Case& c, const Device& device) {
    static std::mutex mutex;
    static std::map<std::string, std::unique_ptr<Kernel>> kernels;
    Spec spec = c.spec;
    spec.name.clear();
    const std::string key = fmt::format("{} {} {}", device.text(), c.host_seed, to_json(spec, -1));
    const std::lock_guard lock(mutex);
    std::unique_ptr<Kernel>& kernel = kernels[key];
    if (!kernel) {
        PrepareOptions options;
        options.use_tuning = false;  // the same plan on every machine
        options.host_seed = c.host_seed;
        options.allow_slow_code = true;  // what is right is right
        kernel = std::make_unique<Kernel>(prepare(spec, device, options));
    }
    return *kernel;
}

std::string check_case(const Case& c, const Device& device) {
    try {
        const Outcome outcome = run_case(kernel_for(c, device), c, draw(c));
        std::string text;
        for (const std::string& line : disagreements(c, outcome)) text += "\n  " + line;
        return text.empty() ? text : describe(c) + text;
    } catch (const std::exception& error) {
        return describe(c) + "\n  threw: " + error.what();
    }
}

}  // namespace sagejit::test
