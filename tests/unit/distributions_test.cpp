#include "tensor/distributions.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <set>
#include <string>

#include "tensor/half.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

namespace sagejit {
namespace {

constexpr Shape kShape = {2, 4, 2, 300, 500};
constexpr int64_t kDim = 64, kDimV = 32;

struct Moments {
    double mean = 0, variance = 0, kurtosis = 0, largest = 0;
};

Moments moments(const std::vector<double>& values) {
    Moments result;
    const auto count = static_cast<double>(values.size());
    for (const double value : values) result.mean += value / count;
    double fourth = 0;
    for (const double value : values) {
        const double square = (value - result.mean) * (value - result.mean);
        result.variance += square / count;
        fourth += square * square / count;
        result.largest = std::max(result.largest, std::abs(value));
    }
    result.kurtosis = fourth / (result.variance * result.variance);
    return result;
}

// The mean over tokens of each (matrix, channel).
std::vector<double> channel_means(HostTensor& tensor) {
    const std::vector<double> values = widen_to_double(tensor.ref());
    const auto [batch, heads, len, dim] = tensor.shape;
    std::vector<double> means(static_cast<size_t>(batch * heads * dim));
    for (int64_t m = 0; m < batch * heads; ++m)
        for (int64_t t = 0; t < len; ++t)
            for (int64_t d = 0; d < dim; ++d)
                means[m * dim + d] += values[(m * len + t) * dim + d] / static_cast<double>(len);
    return means;
}

AttentionInput draw(std::string_view name, uint64_t seed = 1, DataType dtype = DataType::kFp16) {
    return make_input(name, kShape, kDim, kDimV, dtype, seed);
}

// FNV-1a.
uint64_t digest(const AttentionInput& input) {
    uint64_t hash = 0xcbf2'9ce4'8422'2325;
    for (const HostTensor* tensor : {&input.q, &input.k, &input.v})
        for (const std::byte byte : tensor->data)
            hash = (hash ^ static_cast<uint64_t>(byte)) * 0x100'0000'01b3;
    return hash;
}

}  // namespace

TEST_CASE("distributions: shapes, types and names") {
    std::set<std::string_view> names;
    for (const Distribution& distribution : distributions()) {
        CAPTURE(distribution.name);
        CHECK(names.insert(distribution.name).second);
        CHECK_FALSE(distribution.description.empty());
        CHECK(distribution.description.find('\n') == std::string_view::npos);
        for (const DataType dtype : {DataType::kFp16, DataType::kBf16}) {
            AttentionInput input = draw(distribution.name, 3, dtype);
            CHECK(input.q.shape == std::array<int64_t, 4>{2, 4, 300, kDim});
            CHECK(input.k.shape == std::array<int64_t, 4>{2, 2, 500, kDim});
            CHECK(input.v.shape == std::array<int64_t, 4>{2, 2, 500, kDimV});
            for (HostTensor* tensor : {&input.q, &input.k, &input.v}) {
                CHECK(tensor->dtype == dtype);
                int not_finite = 0;
                for (const double value : widen_to_double(tensor->ref()))
                    not_finite += !std::isfinite(value);
                CHECK(not_finite == 0);
            }
        }
    }
    CHECK(distributions().front().name == "normal");
    for (const char* name : {"normal", "k_channel_bias", "outliers", "v_mean", "attention_sink",
                             "constant_rows", "diffusion_like"})
        CHECK(names.count(name) == 1);
}

TEST_CASE("distributions: bytes depend on the seed and on nothing else") {
    // Recorded once; a change of any of them changes every measurement made with the old bytes.
    const std::pair<std::string_view, uint64_t> recorded[] = {
        {"normal", 0x30b7b2d895828079},         {"k_channel_bias", 0x14845e6975f610fd},
        {"outliers", 0x6526400217a700a6},       {"v_mean", 0x491eb316aacafc1b},
        {"attention_sink", 0x461308f633649a41}, {"constant_rows", 0x3752fbf4efaac219},
        {"diffusion_like", 0x45bdc9070193e588},
    };
    CHECK(std::size(recorded) == distributions().size());
    std::set<uint64_t> seen;
    for (const auto& [name, expected] : recorded) {
        CAPTURE(name);
        const uint64_t actual = digest(draw(name));
        CHECK(actual == expected);
        CHECK(seen.insert(actual).second);
        CHECK(seen.insert(digest(draw(name, 2))).second);
        CHECK(digest(draw(name)) == actual);
    }
}

TEST_CASE("distributions: a longer input begins with a shorter one") {
    const AttentionInput long_input =
        make_input("outliers", {1, 1, 1, 90, 70}, 16, 8, DataType::kBf16, 5);
    const AttentionInput short_input =
        make_input("outliers", {1, 1, 1, 9, 7}, 16, 8, DataType::kBf16, 5);
    CHECK(std::equal(short_input.q.data.begin(), short_input.q.data.end(),
                     long_input.q.data.begin()));
    CHECK(std::equal(short_input.k.data.begin(), short_input.k.data.end(),
                     long_input.k.data.begin()));
    CHECK(std::equal(short_input.v.data.begin(), short_input.v.data.end(),
                     long_input.v.data.begin()));
}

TEST_CASE("distributions: normal has the moments of N(0,1), in every head") {
    AttentionInput input = draw("normal");
    for (HostTensor* tensor : {&input.q, &input.k, &input.v}) {
        const Moments all = moments(widen_to_double(tensor->ref()));
        CHECK(std::abs(all.mean) < 0.02);
        CHECK(all.variance == Approx(1).margin(0.02));
        CHECK(all.kurtosis == Approx(3).margin(0.1));
        CHECK(all.largest > 3.5);
        CHECK(all.largest < 6.5);
    }
    // Heads, and q and k, are unrelated.
    const std::vector<double> q = widen_to_double(input.q.ref());
    const std::vector<double> k = widen_to_double(input.k.ref());
    double heads = 0, operands = 0;
    constexpr size_t kMatrix = 300 * kDim;
    for (size_t i = 0; i < kMatrix; ++i) {
        heads += q[i] * q[i + kMatrix] / kMatrix;
        operands += q[i] * k[i] / kMatrix;
    }
    CHECK(std::abs(heads) < 0.03);
    CHECK(std::abs(operands) < 0.03);
}

TEST_CASE("distributions: channel biases are shared by the tokens of a head") {
    AttentionInput biased = draw("k_channel_bias");
    const Moments means = moments(channel_means(biased.k));
    CHECK(std::sqrt(means.variance) == Approx(8).epsilon(0.15));
    CHECK(std::abs(means.mean) < 2);
    // What remains around the means is N(0,1), and q and v are as they were.
    CHECK(moments(widen_to_double(biased.k.ref())).variance ==
          Approx(means.variance + 1).margin(0.1));
    CHECK(moments(channel_means(biased.q)).variance < 0.01);
    CHECK(moments(channel_means(biased.v)).variance < 0.01);

    AttentionInput shifted = draw("v_mean");
    CHECK(std::sqrt(moments(channel_means(shifted.v)).variance) == Approx(4).epsilon(0.2));
    CHECK(moments(channel_means(shifted.k)).variance < 0.01);
}

TEST_CASE("distributions: outliers have variance 100 and rate 1/1000") {
    AttentionInput input =
        make_input("outliers", {1, 8, 8, 2000, 2000}, 64, 64, DataType::kFp16, 1);
    for (HostTensor* tensor : {&input.q, &input.k, &input.v}) {
        const std::vector<double> values = widen_to_double(tensor->ref());
        // The variance is 1 + 0.001 * 100; a standard deviation of 100 would give 11.
        CHECK(moments(values).variance == Approx(1.1).margin(0.03));
        // P(|N(0,101)| > 6) = 0.5505; N(0,1) alone exceeds 6 twice in a thousand million.
        int beyond = 0;
        for (const double value : values) beyond += std::abs(value) > 6;
        CHECK(beyond == Approx(0.001 * 0.5505 * static_cast<double>(values.size())).epsilon(0.15));
    }
}

TEST_CASE("distributions: the sink draws most of the weight, but not all, at any length") {
    for (const int64_t len : {16, 500, 8000}) {
        for (const int64_t dim : {32, 128}) {
            CAPTURE(len, dim);
            AttentionInput input =
                make_input("attention_sink", {1, 4, 2, 64, len}, dim, dim, DataType::kFp16, 1);
            const std::vector<double> q = widen_to_double(input.q.ref());
            const std::vector<double> k = widen_to_double(input.k.ref());
            double share = 0;
            for (int64_t row = 0; row < 4 * 64; ++row) {
                const double* keys = &k[(row / 64 / 2) * len * dim];
                double sink = 0, sum = 0;
                for (int64_t j = 0; j < len; ++j) {
                    double dot = 0;
                    for (int64_t d = 0; d < dim; ++d) dot += q[row * dim + d] * keys[j * dim + d];
                    const double weight = std::exp(dot / std::sqrt(static_cast<double>(dim)));
                    if (j == 0) sink = weight;
                    sum += weight;
                }
                share += sink / sum / (4 * 64);
            }
            CHECK(share > 0.6);
            CHECK(share < 0.98);
        }
    }
}

TEST_CASE("distributions: constant rows are constant, neighbours of diffusion_like are alike") {
    AttentionInput input = draw("constant_rows");
    for (HostTensor* tensor : {&input.q, &input.k}) {
        const auto [batch, heads, len, dim] = tensor->shape;
        const auto bits = tensor->bits();
        int different = 0;
        for (int64_t m = 0; m < batch * heads; ++m)
            for (int64_t i = dim; i < len * dim; ++i)
                different += bits[m * len * dim + i] != bits[m * len * dim + i % dim];
        CHECK(different == 0);
        CHECK(moments(widen_to_double(tensor->ref())).variance > 0.5);
        CHECK(bits[0] != bits[len * dim]);
    }
    CHECK(moments(channel_means(input.v)).variance < 0.01);

    AttentionInput smooth = draw("diffusion_like");
    const std::vector<double> k = widen_to_double(smooth.k.ref());
    double product = 0, square = 0;
    for (size_t i = 0; i + kDim < 500 * kDim; ++i) {
        if (i % 8 == 0) continue;  // a channel with a bias
        product += k[i] * k[i + kDim];
        square += k[i] * k[i];
    }
    CHECK(product / square == Approx(0.9).margin(0.03));
}

TEST_CASE("distributions: empty sizes give empty tensors, wrong ones are refused") {
    CHECK(make_input("normal", {0, 4, 2, 8, 8}, 32, 32, DataType::kFp16, 1).q.data.empty());
    CHECK(make_input("attention_sink", {1, 4, 2, 8, 0}, 32, 32, DataType::kFp16, 1).k.data.empty());
    CHECK(make_input("normal", {1, 0, 0, 8, 8}, 32, 32, DataType::kFp16, 1).k.data.empty());
    CHECK_THROWS_AS(make_input("normal", {1, 3, 2, 8, 8}, 32, 32, DataType::kFp16, 1), Error);
    CHECK_THROWS_AS(make_input("normal", {1, 3, 0, 8, 8}, 32, 32, DataType::kFp16, 1), Error);
    CHECK_THROWS_AS(make_input("normal", {1, 2, 2, -8, 8}, 32, 32, DataType::kFp16, 1), Error);
    try {
        make_input("gaussian", kShape, 32, 32, DataType::kFp16, 1);
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kInvalidArgument);
        CHECK_THAT(error.fix(), Catch::Contains("normal, k_channel_bias"));
    }
}

TEST_CASE("random: the logarithm is accurate without the library's") {
    double worst = 0;
    RandomStream stream(1, 1);
    for (int i = 0; i < 100000; ++i) {
        const double value = std::ldexp(stream.uniform() + 0x1p-53, i % 60 - 55);
        const double expected = std::log(value);
        worst = std::max(worst, std::abs(portable_log(value) - expected) / std::abs(expected));
    }
    CHECK(worst < 1e-15);
}

TEST_CASE("random: seed and stream number both matter, and do not commute") {
    RandomStream first(1, 2), same(1, 2);
    for (int i = 0; i < 10; ++i) CHECK(first.bits() == same.bits());
    std::set<uint64_t> seen;
    for (uint64_t seed = 0; seed < 30; ++seed)
        for (uint64_t stream = 0; stream < 30; ++stream) {
            RandomStream generator(seed, stream);
            seen.insert(generator.bits());
            seen.insert(generator.bits());
        }
    CHECK(seen.size() == 2 * 30 * 30);
}

TEST_CASE("parallel_for calls every index once and passes a failure on") {
    std::vector<int> calls(1000);
    parallel_for(1000, [&](int64_t i) { ++calls[i]; });
    CHECK(calls == std::vector<int>(1000, 1));
    parallel_for(0, [&](int64_t) { FAIL("called"); });
    CHECK_THROWS_AS(parallel_for(100,
                                 [](int64_t i) {
                                     if (i == 50) throw Error(ErrorCode::kIo, "lost");
                                 }),
                    Error);
}

}  // namespace sagejit
