// What the benchmarks compute from what they measure: quantiles, work, rotation, random operands.
#include "bench/bench.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <cstring>
#include <vector>

#include "bench/samples.h"
#include "bench/timing.h"
#include "bench/work.h"
#include "tensor/half.h"

using namespace sagejit;

namespace {

Spec spec_of(int head_dim, int head_dim_v, CausalMode causal) {
    Spec spec;
    spec.head_dim = head_dim;
    spec.head_dim_v = head_dim_v;
    spec.causal = causal;
    return spec;
}

double count_pairs(const Shape& shape, CausalMode causal) {
    const int64_t shift = causal == CausalMode::kBottomRight ? shape.len_k - shape.len_q : 0;
    double pairs = 0;
    for (int64_t i = 0; i < shape.len_q; ++i) {
        for (int64_t j = 0; j < shape.len_k; ++j) {
            pairs += causal == CausalMode::kNone || j <= i + shift;
        }
    }
    return pairs;
}

}  // namespace

TEST_CASE("quantiles of samples interpolate between neighbours") {
    const SampleSummary summary = summarize({5, 1, 4, 2});
    CHECK(summary.median == 3);
    CHECK(summary.q1 == 1.75);
    CHECK(summary.q3 == 4.25);
    CHECK(summary.min == 1);
    CHECK(summary.max == 5);
    CHECK(summary.count == 4);
    CHECK(summarize({7}).q1 == 7);
    CHECK(summarize({7}).q3 == 7);
    CHECK(summarize({}).count == 0);
}

TEST_CASE("visible pairs are those a loop counts") {
    for (const int64_t len_q : {1, 2, 5, 9, 16}) {
        for (const int64_t len_k : {1, 3, 5, 8, 17}) {
            for (const CausalMode causal :
                 {CausalMode::kNone, CausalMode::kTopLeft, CausalMode::kBottomRight}) {
                const Shape shape{1, 1, 1, len_q, len_k};
                INFO(len_q << " " << len_k << " " << to_string(causal));
                CHECK(visible_pairs(shape, causal) == count_pairs(shape, causal));
            }
        }
    }
}

TEST_CASE("work is 4 B H L L D without a mask, and half as much with one") {
    const Shape shape{2, 8, 2, 4096, 4096};
    const double full = attention_flops(shape, spec_of(128, 128, CausalMode::kNone));
    CHECK(full == 4.0 * 2 * 8 * 4096 * 4096 * 128);
    CHECK(attention_flops(shape, spec_of(128, 128, CausalMode::kTopLeft)) / full ==
          Approx(0.5).epsilon(1e-3));
    CHECK(attention_flops(shape, spec_of(128, 64, CausalMode::kNone)) == full * 3 / 4);
}

TEST_CASE("peaks are known for the GPUs that were measured only") {
    Spec spec = spec_of(128, 128, CausalMode::kNone);
    CHECK_FALSE(tensor_peak("NVIDIA GeForce RTX 4090", spec));
    const auto peak = tensor_peak("NVIDIA H200", spec);
    REQUIRE(peak);
    const Shape shape{1, 16, 16, 16384, 16384};
    const double half = attention_flops(shape, spec) / 2;
    CHECK(tensor_bound_ms(*peak, shape, spec) ==
          Approx((half / 1941e12 + half / 827e12) * 1e3).epsilon(1e-9));
    spec.pv_type = PvType::kInt8;
    CHECK(tensor_peak("NVIDIA H200", spec)->pv_tops == 1941);
}

TEST_CASE("sets in rotation exceed the cache and fit into memory") {
    const Spec spec = spec_of(64, 64, CausalMode::kNone);
    const Shape small{1, 4, 4, 256, 256};  // 384 KiB of inputs
    const size_t inputs = 3 * 4 * 256 * 64 * 2;
    const size_t cache = size_t{4} << 20;
    const int count = OperandSets::choose_count(spec, small, 0, cache, size_t{1} << 30);
    CHECK(count * (inputs / 2) > 2 * cache);
    CHECK(OperandSets::choose_count(spec, small, 0, 0, size_t{1} << 30) == 2);
    const size_t each = OperandSets::bytes_per_set(spec, small) + 1000;
    CHECK(OperandSets::choose_count(spec, small, 1000, cache, 3 * each) == 3);
    CHECK_THROWS_AS(OperandSets::choose_count(spec, small, 1000, cache, 2 * each - 1), Error);
}

TEST_CASE("random tensors look normal, differ and repeat with the seed") {
    const Device host = Device::host();
    const size_t count = 100'000;
    const RandomPool pool(host, DataType::kBf16, count * 2, 5);
    const auto draw = [&](const RandomPool& from, uint64_t stream) {
        DeviceBuffer buffer(host, count * 2);
        buffer.fill(0xFF);
        from.fill(buffer, stream);
        std::vector<uint16_t> bits(count);
        buffer.download(bits.data(), buffer.bytes());
        return bits;
    };
    const std::vector<uint16_t> first = draw(pool, 0), second = draw(pool, 1);
    CHECK(first != second);
    CHECK(first == draw(RandomPool(host, DataType::kBf16, count * 2, 5), 0));
    CHECK(first != draw(RandomPool(host, DataType::kBf16, count * 2, 6), 0));
    double sum = 0, squares = 0, product = 0;
    for (size_t i = 0; i < count; ++i) {
        const double a = bf16_to_float(first[i]), b = bf16_to_float(second[i]);
        REQUIRE(std::isfinite(a));
        sum += a;
        squares += a * a;
        product += a * b;
    }
    CHECK(std::abs(sum / count) < 0.02);
    CHECK(squares / count == Approx(1).epsilon(0.02));
    CHECK(std::abs(product / count) < 0.02);  // the two do not resemble each other
}

TEST_CASE("timing warms up, rotates and counts") {
    const Stream stream{Device::host()};
    std::vector<int64_t> seen;
    const auto launch = [&seen](int64_t index) { seen.push_back(index); };
    TimingOptions options;
    options.iterations = 5;
    options.sample_ms = 0;
    const Timing timing = time_launches(stream, launch, options);
    CHECK(timing.ms.count == 5);
    CHECK(timing.launches_per_sample == 1);
    REQUIRE(seen.size() == 6);  // one to warm up
    for (size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == static_cast<int64_t>(i));

    seen.clear();
    options.sample_ms = 1;  // far longer than an empty launch
    const Timing many = time_launches(stream, launch, options);
    CHECK(many.launches_per_sample > 1);
    CHECK(seen.size() == 1 + 5 * static_cast<size_t>(many.launches_per_sample));
    CHECK(time_single_launches(stream, launch, options).launches_per_sample == 1);
}

TEST_CASE("timing rests before each sample, and not before warm-up") {
    const Stream stream{Device::host()};
    std::vector<int64_t> seen;
    std::vector<std::chrono::steady_clock::time_point> times;
    const auto launch = [&](int64_t index) {
        seen.push_back(index);
        times.push_back(std::chrono::steady_clock::now());
    };
    TimingOptions options;
    options.iterations = 3;
    options.sample_ms = 0;
    options.rest_ms = 30;
    const Timing timing = time_launches(stream, launch, options);
    CHECK(timing.ms.count == 3);
    CHECK(timing.ms.max < 30);  // the rest is no part of a sample
    REQUIRE(seen == std::vector<int64_t>{0, 1, 2, 3});
    for (size_t i = 1; i < times.size(); ++i) {
        CHECK(times[i] - times[i - 1] >= std::chrono::milliseconds(30));
    }
}

TEST_CASE("attention alone repeats the last step on operands left in the workspace") {
    Spec spec = spec_of(32, 32, CausalMode::kNone);
    spec.tile_q = 64;
    const Kernel kernel = prepare(spec, Device::host());
    const Shape shape{1, 2, 1, 70, 90};
    const Stream stream{Device::host()};
    const RandomPool pool(Device::host(), spec.dtype, 1 << 16, 1);
    OperandSets operands(Device::host(), spec, shape, 2, pool);
    CallSets calls(kernel, operands, shape, stream);
    const auto output = [&](int set) {
        const TensorRef& o = operands.arguments(set).o;
        const auto* data = static_cast<const uint16_t*>(o.data);
        return std::vector<uint16_t>(data, data + 2 * 70 * 32);
    };
    const std::vector<uint16_t> whole = output(1);
    operands.poison_outputs();
    CHECK_FALSE(operands.outputs_finite());
    calls.launch(Phase::kAttention, 3);  // set 3 % 2
    CHECK(output(1) == whole);
    CHECK_FALSE(operands.outputs_finite());  // set 0 is still poisoned
    calls.launch(Phase::kAttention, 0);
    CHECK(operands.outputs_finite());
    CHECK(output(0) != whole);

    // Alone it does not quantize: with another q it computes what it computed before.
    std::memset(operands.arguments(1).q.data, 0, 70 * 32 * 2);
    calls.launch(Phase::kAttention, 1);
    CHECK(output(1) == whole);
    calls.launch(Phase::kWholeCall, 1);
    CHECK(output(1) != whole);
}

TEST_CASE("a monitor of the host device reads nothing and says why") {
    GpuMonitor monitor(Device::host());
    CHECK(monitor.problem() != "");
    monitor.start();
    CHECK_FALSE(monitor.stop());
}
