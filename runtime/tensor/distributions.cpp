#include "tensor/distributions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "tensor/half.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

namespace sagejit {
namespace {

// How one of q, k, v departs from independent N(0,1) elements.
struct Recipe {
    double channel_bias = 0;     // times N(0,1), added to a channel, shared by a head's tokens
    int bias_every = 1;          // only every so many channels have it
    double outlier_rate = 0;     // share of elements that get N(0, kOutlierVariance) on top
    double correlation = 0;      // of a channel between one token and the next
    bool constant_rows = false;  // all tokens of a head are the first one
};

struct Entry {
    Distribution distribution;
    Recipe q, k, v;
    bool sink = false;
};

constexpr double kOutlierStandardDeviation = 10;  // variance 100
constexpr Recipe kPlain = {};
constexpr Recipe kSpiked = {.outlier_rate = 0.001};
constexpr Recipe kConstant = {.constant_rows = true};

constexpr Entry kEntries[] = {
    {{"normal", "q, k, v ~ N(0,1)"}, kPlain, kPlain, kPlain},
    {{"k_channel_bias", "normal, K + 8*N(0,1) per head and channel, the same for all tokens"},
     kPlain,
     {.channel_bias = 8},
     kPlain},
    {{"outliers", "q, k, v ~ N(0,1) + N(0,100)*Bernoulli(0.001), 100 being the variance"},
     kSpiked,
     kSpiked,
     kSpiked},
    {{"v_mean", "normal, V + 4*N(0,1) per head and channel, the same for all tokens"},
     kPlain,
     kPlain,
     {.channel_bias = 4}},
    {{"attention_sink", "normal, but the first key draws most of every row's weight"},
     kPlain,
     kPlain,
     kPlain,
     true},
    {{"constant_rows", "normal V, but all tokens of a head have the same q and the same k"},
     kConstant,
     kConstant,
     kPlain},
    {{"diffusion_like", "neighbouring tokens alike, strong bias in every eighth channel of K"},
     {.channel_bias = 1, .correlation = 0.9},
     {.channel_bias = 12, .bias_every = 8, .correlation = 0.9},
     {.channel_bias = 0.5, .outlier_rate = 0.001, .correlation = 0.9}},
};

constexpr auto kDistributions = [] {
    std::array<Distribution, std::size(kEntries)> list;
    std::transform(std::begin(kEntries), std::end(kEntries), list.begin(),
                   [](const Entry& entry) { return entry.distribution; });
    return list;
}();

const Entry& find_entry(std::string_view name) {
    std::string known;
    for (const Entry& entry : kEntries) {
        if (entry.distribution.name == name) return entry;
        known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.distribution.name);
    }
    throw Error(ErrorCode::kInvalidArgument, fmt::format("there is no distribution \"{}\"", name),
                "distribution", "known are " + known);
}

// What a stream of random numbers is for; one stream per purpose and (batch, head).
enum class Purpose : uint64_t {
    kValues,
    kBias,
    kOutliers,
    kSink,
};
enum class Operand : uint64_t { kQ, kK, kV };

RandomStream make_stream(uint64_t seed, Operand operand, Purpose purpose, int64_t matrix) {
    const uint64_t kind = static_cast<uint64_t>(operand) * 16 + static_cast<uint64_t>(purpose);
    return RandomStream(seed, kind << 48 | static_cast<uint64_t>(matrix));
}

// What the first key of attention_sink and all queries have in common: a sign per channel.
std::vector<double> sink_direction(uint64_t seed, int64_t kv_matrix, int64_t dim) {
    RandomStream stream = make_stream(seed, Operand::kK, Purpose::kSink, kv_matrix);
    std::vector<double> direction(static_cast<size_t>(dim));
    for (double& sign : direction) sign = stream.bits() >> 63 ? 1 : -1;
    return direction;
}

// The factor of that direction in the first key. The other keys' logits are about N(0,2), so their
// weights sum to about len * e; the sink's logit lies 2 above that on average, at the usual logit
// scale 1/sqrt(dim).
double sink_strength(int64_t len_k, int64_t dim) {
    const double others = portable_log(static_cast<double>(std::max<int64_t>(len_k, 2))) + 1;
    return (others + 2) / std::sqrt(static_cast<double>(std::max<int64_t>(dim, 1)));
}

// Writes one [len, dim] matrix. direction, if not empty, is added to every row.
void fill_matrix(const Recipe& recipe, uint64_t seed, Operand operand, int64_t matrix, int64_t len,
                 std::span<const double> direction, DataType dtype, std::span<uint16_t> out) {
    if (out.empty()) return;
    const auto dim = out.size() / static_cast<size_t>(len);
    RandomStream values = make_stream(seed, operand, Purpose::kValues, matrix);
    RandomStream outliers = make_stream(seed, operand, Purpose::kOutliers, matrix);
    RandomStream biases = make_stream(seed, operand, Purpose::kBias, matrix);
    std::vector<double> bias(dim, 0.0);
    if (recipe.channel_bias != 0)
        for (size_t d = 0; d < dim; d += static_cast<size_t>(recipe.bias_every))
            bias[d] = recipe.channel_bias * biases.normal();
    for (size_t d = 0; d < direction.size(); ++d) bias[d] += direction[d];

    const double innovation = std::sqrt(1 - recipe.correlation * recipe.correlation);
    std::vector<double> row(dim);
    for (size_t t = 0; t < static_cast<size_t>(len); ++t) {
        for (size_t d = 0; d < dim; ++d) {
            if (t == 0)
                row[d] = values.normal();
            else if (!recipe.constant_rows)
                row[d] = recipe.correlation * row[d] + innovation * values.normal();
            double value = row[d] + bias[d];
            if (recipe.outlier_rate > 0 && outliers.uniform() < recipe.outlier_rate)
                value += kOutlierStandardDeviation * outliers.normal();
            out[t * dim + d] = half_from_double(value, dtype);
        }
    }
}

}  // namespace

std::span<const Distribution> distributions() { return kDistributions; }

AttentionInput make_input(std::string_view distribution, const Shape& shape, int64_t head_dim,
                          int64_t head_dim_v, DataType dtype, uint64_t seed) {
    const Entry& entry = find_entry(distribution);
    if (shape.heads_kv < 1 ? shape.heads_q != 0 : shape.heads_q % shape.heads_kv != 0)
        throw Error(ErrorCode::kInvalidArgument, "heads_q is not a multiple of heads_kv", "shape",
                    "choose heads_kv that divides heads_q");
    AttentionInput input;
    input.q = make_host_tensor(dtype, {shape.batch, shape.heads_q, shape.len_q, head_dim});
    input.k = make_host_tensor(dtype, {shape.batch, shape.heads_kv, shape.len_k, head_dim});
    input.v = make_host_tensor(dtype, {shape.batch, shape.heads_kv, shape.len_k, head_dim_v});
    const int64_t group_size = shape.heads_kv > 0 ? shape.heads_q / shape.heads_kv : 0;

    const auto fill = [&](HostTensor& tensor, const Recipe& recipe, Operand operand) {
        const int64_t len = tensor.shape[2], dim = tensor.shape[3];
        const std::span<uint16_t> all = tensor.bits();
        const auto elements = static_cast<size_t>(len * dim);
        parallel_for(tensor.shape[0] * tensor.shape[1], [&](int64_t matrix) {
            std::vector<double> direction;
            if (entry.sink && operand == Operand::kQ)
                direction = sink_direction(seed, matrix / group_size, head_dim);
            const std::span<uint16_t> out = all.subspan(matrix * elements, elements);
            fill_matrix(recipe, seed, operand, matrix, len, direction, dtype, out);
            if (entry.sink && operand == Operand::kK && !out.empty()) {
                const double strength = sink_strength(len, dim);
                direction = sink_direction(seed, matrix, dim);
                for (size_t d = 0; d < direction.size(); ++d)
                    out[d] = half_from_double(strength * direction[d], dtype);
            }
        });
    };
    fill(input.q, entry.q, Operand::kQ);
    fill(input.k, entry.k, Operand::kK);
    fill(input.v, entry.v, Operand::kV);
    return input;
}

}  // namespace sagejit
