// The call for the impatient, on the host device.
#include <catch2/catch.hpp>
#include <cmath>
#include <thread>
#include <vector>

#include "attention_fixture.h"
#include "unit/error_of.h"

using namespace sagejit;
using namespace sagejit::test;

namespace {

const Shape kShape = {1, 4, 2, 40, 70};

}  // namespace

TEST_CASE("attention chooses a kernel for the tensors", "[attention]") {
    const AttentionTensors t(Device::host(), kShape, 64, 64);
    AttentionOptions options;
    options.causal = CausalMode::kBottomRight;
    options.lse = t.lse;
    attention(t.q, t.k, t.v, t.out, options);
    const AttentionResult exact = t.exact(options.causal, 0.125);
    const Metrics metrics = t.compare_output(exact);
    CHECK(metrics.rel_l1 < 0.03);
    CHECK(metrics.mismatched_nonfinite == 0);
    CHECK(metrics.compared == 1 * 4 * 40 * 64);
    CHECK(compare_lse(exact.lse, t.written_lse()).max_abs < 0.02);

    // Its kernel is the one that prepare_attention gives, and writes the same.
    const std::vector<uint16_t> once = t.output();
    const Kernel kernel = prepare_attention(t.q, t.k, t.v, t.out, options);
    CHECK(kernel.plan().spec.head_dim == 64);
    CHECK(kernel.plan().spec.causal == CausalMode::kBottomRight);
    CHECK(kernel.plan().spec.lse);
    Arguments call{t.q, t.k, t.v, t.out, t.lse, 0.125f};
    const DeviceBuffer workspace(Device::host(), kernel.workspace_size(kShape));
    std::fill_n(static_cast<uint16_t*>(t.out.data), once.size(), uint16_t{0xffff});
    kernel.launch(call, workspace.data(), workspace.bytes());
    CHECK(t.output() == once);
}

TEST_CASE("more accuracy costs a better kernel", "[attention]") {
    const AttentionTensors t(Device::host(), kShape, 64, 64);
    const AttentionResult exact = t.exact(CausalMode::kNone, 0.5);
    std::vector<double> errors;
    for (const Quality quality : {Quality::kAccurate, Quality::kBalanced, Quality::kFast}) {
        AttentionOptions options;
        options.quality = quality;
        options.logit_scale = 0.5f;
        attention(t.q, t.k, t.v, t.out, options);
        errors.push_back(t.compare_output(exact).rel_l1);
    }
    CHECK(errors[0] < errors[1]);
    CHECK(errors[1] < errors[2]);
    CHECK(errors[2] < 0.1);
}

TEST_CASE("one call serves any lengths, and none", "[attention]") {
    const AttentionTensors t(Device::host(), kShape, 64, 64);
    for (const auto& [len_q, len_k] :
         {std::pair<int64_t, int64_t>{1, 70}, {40, 1}, {40, 0}, {0, 70}}) {
        TensorRef q = t.q, k = t.k, v = t.v, out = t.out;
        q.shape[2] = out.shape[2] = len_q;
        k.shape[2] = v.shape[2] = len_k;
        std::fill_n(static_cast<uint16_t*>(t.out.data), t.output().size(), uint16_t{0xffff});
        attention(q, k, v, out);
        const std::vector<uint16_t> written = t.output();
        // Of the first head: its rows are written, the others are not.
        for (int64_t row = 0; row < 40; ++row) {
            const uint16_t first = written[static_cast<size_t>(row * 64)];
            CHECK((first != 0xffff) == (row < len_q));
            if (row < len_q && len_k == 0) CHECK(first == 0);
        }
    }
    TensorRef nothing = t.q;
    nothing.data = nullptr;
    nothing.shape[0] = 0;
    TensorRef no_keys = t.k, no_values = t.v, no_out = t.out;
    no_keys.data = no_values.data = no_out.data = nullptr;
    no_keys.shape[0] = no_values.shape[0] = no_out.shape[0] = 0;
    AttentionOptions options;
    options.device = Device::host();
    attention(nothing, no_keys, no_values, no_out, options);
}

TEST_CASE("attention refuses tensors that do not go together", "[attention]") {
    const AttentionTensors t(Device::host(), kShape, 64, 64);
    TensorRef wrong = t.k;
    wrong.shape[3] = 32;
    Error error = error_of([&] { attention(t.q, wrong, t.v, t.out); });
    CHECK(error.code() == ErrorCode::kInvalidArgument);
    CHECK_THAT(error.where(), Catch::Contains("k.shape[3]"));

    const AttentionTensors odd(Device::host(), {1, 1, 1, 2, 2}, 100, 64);
    error = error_of([&] { attention(odd.q, odd.k, odd.v, odd.out); });
    CHECK(error.code() == ErrorCode::kInvalidArgument);
    CHECK_THAT(error.where(), Catch::Contains("q.shape[3]"));
    CHECK_THAT(error.message(), Catch::Contains("multiple of 8 from 32 to 256, got 100"));

    wrong = t.v;
    wrong.dtype = DataType::kBf16;
    error = error_of([&] { attention(t.q, t.k, wrong, t.out); });
    CHECK(error.code() == ErrorCode::kInvalidArgument);
    CHECK_THAT(error.where(), Catch::Contains("v.dtype"));

    AttentionOptions options;
    options.logit_scale = std::nanf("");
    error = error_of([&] { attention(t.q, t.k, t.v, t.out, options); });
    CHECK_THAT(error.where(), Catch::Contains("logit_scale"));
}

TEST_CASE("threads share the kernel that one of them prepares", "[attention]") {
    constexpr int kThreads = 4;
    std::vector<AttentionTensors> tensors;
    for (int i = 0; i < kThreads; ++i) {
        tensors.emplace_back(Device::host(), Shape{1, 2, 1, 20, 30}, 40, 40, DataType::kBf16);
    }
    std::vector<std::thread> threads;
    for (AttentionTensors& t : tensors) {
        threads.emplace_back([&t] { attention(t.q, t.k, t.v, t.out); });
    }
    for (std::thread& thread : threads) thread.join();
    const AttentionResult exact = tensors[0].exact(CausalMode::kNone, 1 / std::sqrt(40.0));
    for (const AttentionTensors& t : tensors) {
        CHECK(t.compare_output(exact).rel_l1 < 0.05);
        CHECK(t.output() == tensors[0].output());
    }
}
