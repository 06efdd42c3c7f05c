#include "reference/quantizers.h"

#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>

#include "tensor/half.h"
#include "tensor/random.h"

namespace sagejit {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr Granularity kGranularities[] = {Granularity::kTensor, Granularity::kToken,
                                          Granularity::kBlock, Granularity::kWarp,
                                          Granularity::kThread};

Plan make_test_plan(Granularity granularity, int head_dim) {
    Plan plan;
    plan.spec.head_dim = plan.spec.head_dim_v = head_dim;
    plan.spec.granularity = granularity;
    plan.tile_q = 64;
    plan.warp_q = 32;
    plan.tile_k = 48;
    return plan;
}

std::vector<float> random_rows(int64_t rows, int dim, uint64_t seed) {
    RandomStream random(seed, 0);
    std::vector<float> values(rows * dim);
    for (float& value : values)
        value = fp16_to_float(fp16_from_double(random.normal() * std::exp(random.normal())));
    return values;
}

}  // namespace

TEST_CASE("quantizers: groups are those of the granularity") {
    constexpr int64_t kRows = 200;  // three tiles of queries and a part, four of keys and a part
    std::map<Granularity, std::pair<size_t, size_t>> sizes = {
        {Granularity::kTensor, {1, 1}},         {Granularity::kToken, {200, 200}},
        {Granularity::kBlock, {4, 5}},          {Granularity::kWarp, {7, 5}},
        {Granularity::kThread, {7 * 8, 5 * 4}},
    };
    for (const Granularity granularity : kGranularities) {
        CAPTURE(static_cast<int>(granularity));
        const Plan plan = make_test_plan(granularity, 32);
        std::set<int64_t> q_groups, k_groups;
        for (int64_t row = 0; row < kRows; ++row) {
            q_groups.insert(q_scale_group(plan, row));
            k_groups.insert(k_scale_group(plan, row));
        }
        CHECK(q_groups.size() == sizes[granularity].first);
        CHECK(k_groups.size() == sizes[granularity].second);
        CHECK(*q_groups.rbegin() == static_cast<int64_t>(q_groups.size()) - 1);
        CHECK(*k_groups.rbegin() == static_cast<int64_t>(k_groups.size()) - 1);
    }
}

TEST_CASE("quantizers: with thread granularity a lane needs one scale of Q and one of K a tile") {
    const Plan plan = make_test_plan(Granularity::kThread, 32);
    // Accumulator layout of m16n8: lane l holds rows l / 4 and l / 4 + 8, columns 2 * (l % 4) and
    // the one after it, of every 16 x 8 part of the warp's scores.
    std::set<int64_t> all_q, all_k;
    for (int64_t lane = 0; lane < 32; ++lane) {
        std::set<int64_t> q, k;
        for (int64_t m = 64; m < 64 + 32; m += 8) q.insert(q_scale_group(plan, m + lane / 4));
        for (int64_t n = 48; n < 96; n += 8)
            for (int64_t e = 0; e < 2; ++e) k.insert(k_scale_group(plan, n + lane % 4 * 2 + e));
        CHECK(q.size() == 1);
        CHECK(k.size() == 1);
        all_q.insert(q.begin(), q.end());
        all_k.insert(k.begin(), k.end());
    }
    CHECK(all_q.size() == 8);
    CHECK(all_k.size() == 4);
}

TEST_CASE("quantizers: rounding by hand") {
    const Plan plan = make_test_plan(Granularity::kTensor, 8);
    // amax 127: the scale is 1 and values round to even.
    const std::vector<float> k = {127, 0.5f, 1.5f, 2.5f, -2.5f, -126.5f, 126.6f, -0.0f};
    const QuantizedRows<float> rows = quantize_k<float>(plan, k, {});
    CHECK(rows.values == std::vector<int8_t>{127, 0, 2, 2, -2, -126, 127, 0});
    CHECK(rows.scale == std::vector<float>{1});
    CHECK(rows.bad == std::vector<uint8_t>{0});

    const std::vector<float> mean = {1, 1, 1, 1, 1, 1, 1, 1};
    const QuantizedRows<float> smoothed = quantize_k<float>(plan, k, mean);
    // amax |-126.5 - 1| = 127.5.
    CHECK(smoothed.scale[0] == 127.5f / 127.0f);
    CHECK(smoothed.values == std::vector<int8_t>{126, 0, 0, 1, -3, -127, 125, -1});

    const QuantizedRows<float> q = quantize_q<float>(plan, k, 0.125f);
    CHECK(q.values == rows.values);
    CHECK(q.scale[0] == 0.125f * 1.44269504f);
    const QuantizedRows<float> negated = quantize_q<float>(plan, k, -0.125f);
    CHECK(negated.values == std::vector<int8_t>{-127, 0, -2, -2, 2, 126, -127, 0});
    CHECK(negated.scale == q.scale);
}

TEST_CASE("quantizers: bit for bit the kernels' operations, at every granularity") {
    constexpr int kDim = 40;
    constexpr int64_t kRows = 150;
    const std::vector<float> x = random_rows(kRows, kDim, 1), mean = random_rows(1, kDim, 2);
    constexpr float kScale = 0.15811388f;
    for (const Granularity granularity : kGranularities) {
        CAPTURE(static_cast<int>(granularity));
        const Plan plan = make_test_plan(granularity, kDim);
        const QuantizedRows<float> q = quantize_q<float>(plan, x, kScale);
        const QuantizedRows<float> k = quantize_k<float>(plan, x, mean);
        int wrong = 0;
        for (int64_t i = 0; i < kRows; ++i) {
            float q_amax = 0, k_amax = 0;
            for (int64_t j = 0; j < kRows; ++j)
                for (int d = 0; d < kDim; ++d) {
                    const float value = x[j * kDim + d];
                    if (q_scale_group(plan, j) == q_scale_group(plan, i))
                        q_amax = std::fmax(q_amax, std::fabs(value));
                    if (k_scale_group(plan, j) == k_scale_group(plan, i))
                        k_amax = std::fmax(k_amax, std::fabs(value - mean[d]));
                }
            const float fold = kScale * 1.44269504f;
            const float q_scale = q_amax / 127.0f;
            wrong += q.scale[i] != q_scale * fold;
            wrong += k.scale[i] != k_amax / 127.0f;
            const float q_inverse = 127.0f / q_amax, k_inverse = 127.0f / k_amax;
            for (int d = 0; d < kDim; ++d) {
                const float shifted = x[i * kDim + d] - mean[d];
                wrong += q.values[i * kDim + d] != std::rint(x[i * kDim + d] * q_inverse);
                wrong += k.values[i * kDim + d] != std::rint(shifted * k_inverse);
            }
        }
        CHECK(wrong == 0);
        const auto [low, high] = std::minmax_element(k.values.begin(), k.values.end());
        CHECK(*low >= -127);
        CHECK(*high <= 127);
        CHECK(std::max(-*low, +*high) == 127);
    }
}

TEST_CASE("quantizers: every group reaches 127 and no product of scale and value is far off") {
    constexpr int kDim = 32;
    const Plan plan = make_test_plan(Granularity::kThread, kDim);
    const std::vector<float> x = random_rows(100, kDim, 3);
    const QuantizedRows<float> k = quantize_k<float>(plan, x, {});
    std::map<int64_t, int> largest;
    double worst = 0;
    for (int64_t i = 0; i < 100; ++i)
        for (int d = 0; d < kDim; ++d) {
            const int value = k.values[i * kDim + d];
            int& most = largest[k_scale_group(plan, i)];
            most = std::max(most, std::abs(value));
            const double error = std::abs(double{k.scale[i]} * value - x[i * kDim + d]);
            worst = std::max(worst, error / k.scale[i]);
        }
    for (const auto& [group, most] : largest) CHECK(most == 127);
    CHECK(worst < 0.50001);
    CHECK(worst > 0.4);
}

TEST_CASE("quantizers: nothing to scale by") {
    const Plan plan = make_test_plan(Granularity::kToken, 8);
    std::vector<float> k(16, 0.0f);
    for (int d = 0; d < 8; ++d) k[8 + d] = 0x1p-60f;
    const QuantizedRows<float> rows = quantize_k<float>(plan, k, {});
    CHECK(rows.values == std::vector<int8_t>(16, 0));
    CHECK(rows.scale == std::vector<float>(2, 0x1p-50f / 127.0f));
    k[8] = 0x1p-50f;
    CHECK(quantize_k<float>(plan, k, {}).values[8] == 127);
    const QuantizedChannels<float> v = quantize_v<float>(std::vector<float>(16, 0.0f), 8);
    CHECK(v.values == std::vector<int8_t>(16, 0));
    CHECK(v.scale == std::vector<float>(8, 0x1p-50f / 127.0f));
    CHECK(quantize_k<float>(plan, {}, {}).values.empty());
    CHECK(quantize_q<float>(plan, {}, 1.0f).scale.empty());
    CHECK(quantize_v<float>({}, 8).first_bad == std::vector<int64_t>(8, 0));
}

TEST_CASE("quantizers: rows that are not finite are zeros and leave the others alone") {
    for (const float poison : {kNan, kInfinity, -kInfinity}) {
        CAPTURE(poison);
        const Plan plan = make_test_plan(Granularity::kTensor, 8);
        std::vector<float> x = random_rows(3, 8, 4);
        x[8 + 5] = 1e4f;  // would be the largest, but its row is bad
        x[8 + 3] = poison;
        std::vector<float> without = x;
        for (int d = 8; d < 16; ++d) without[d] = 0;

        const QuantizedRows<float> k = quantize_k<float>(plan, x, {});
        CHECK(k.bad == std::vector<uint8_t>{0, 1, 0});
        const QuantizedRows<float> expected = quantize_k<float>(plan, without, {});
        CHECK(k.values == expected.values);
        CHECK(k.scale == expected.scale);

        const QuantizedRows<float> q = quantize_q<float>(plan, x, -1.0f);
        QuantizedRows<float> expected_q = quantize_q<float>(plan, without, -1.0f);
        expected_q.values[8] = kBadRowMarker;
        CHECK(q.values == expected_q.values);
        CHECK(q.scale == expected_q.scale);
        CHECK(q.bad == k.bad);
    }
    // A difference that overflows fp32 is as bad as an infinity.
    const Plan plan = make_test_plan(Granularity::kToken, 8);
    const std::vector<float> k(8, 3e38f), mean(8, -3e38f);
    CHECK(quantize_k<float>(plan, k, mean).bad[0] == 1);
}

TEST_CASE("quantizers: V has a scale a channel and remembers the first bad token") {
    const std::vector<float> v = {1,    10,   -0.5f, kNan,       //
                                  -2,   kNan, 0.25f, kInfinity,  //
                                  0.5f, 2.5f, 0.5f,  -kInfinity};
    const QuantizedChannels<float> channels = quantize_v<float>(v, 4);
    CHECK(channels.scale ==
          std::vector<float>{2 / 127.0f, 10 / 127.0f, 0.5f / 127.0f, 0x1p-50f / 127.0f});
    CHECK(channels.first_bad == std::vector<int64_t>{3, 1, 3, 0});
    // 63.5 rounds to 64 and 31.75 to 32.
    CHECK(channels.values == std::vector<int8_t>{64, 127, -127, 0,  //
                                                 -127, 0, 64, 0,    //
                                                 32, 32, 127, 0});
}

TEST_CASE("quantizers: V in fp16 is scaled by powers of two, which cost no accuracy") {
    RandomStream random(5, 0);
    constexpr int kDim = 6, kLen = 50;
    const double magnitude[kDim] = {1, 1e30, 1e-30, 0, 0x1p127, 0x1p-133};
    std::vector<double> v(kLen * kDim);
    for (int i = 0; i < kLen * kDim; ++i)
        v[i] = bf16_to_float(bf16_from_double(random.uniform() * magnitude[i % kDim]));
    v[3 * kDim + 1] = kInfinity;
    const HalfChannels channels = scale_v_to_fp16(v, kDim);
    for (int d = 0; d < kDim; ++d) {
        CAPTURE(d);
        double largest = 0, worst = 0, amax = 0;
        for (int j = 0; j < kLen; ++j) {
            const double stored = fp16_to_float(channels.values[j * kDim + d]);
            if (!std::isfinite(v[j * kDim + d])) {
                CHECK(stored == v[j * kDim + d]);
                continue;
            }
            const double back = std::ldexp(stored, channels.exponent[d]);
            largest = std::max(largest, stored);
            amax = std::max(amax, v[j * kDim + d]);
            worst = std::max(worst, std::abs(back - v[j * kDim + d]));
        }
        if (magnitude[d] == 0) {
            CHECK(largest == 0);
            CHECK(channels.exponent[d] == 0);
            continue;
        }
        CHECK(largest >= 256);
        CHECK(largest < 512);
        // Only what lies below fp16's subnormals is rounded.
        CHECK(worst <= amax * 0x1p-33);
    }
    const HalfChannels exact = scale_v_to_fp16(std::vector<double>{256, -512, 511.5, 1}, 4);
    CHECK(exact.exponent == std::vector<int>{0, 1, 0, -8});
}

}  // namespace sagejit
