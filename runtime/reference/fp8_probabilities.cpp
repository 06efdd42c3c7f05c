#include "reference/fp8_probabilities.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/e4m3.h"

namespace sagejit {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNoReference = 1e30f;  // of a row that has seen no key
// Scores enter the softmax as the float kBias + score (templates/wgmma/geometry.cuh).
constexpr float kBias = 12582912.0f;
constexpr float kSmallestFactor = 0x1p-100f;

// p = 2^(score * factor + offset).
struct Row {
    std::span<double> scores;  // then probabilities
    float scale = 0;           // of the query
    float offset = kNoReference;
    float top = -kInfinity;  // of the tile

    float factor(const QuantizedRows<double>& k, size_t key) const {
        return std::max(scale * static_cast<float>(k.scale[key]), kSmallestFactor);
    }
    static float biased(double score) { return kBias + static_cast<float>(score); }
};

void multiply(std::span<double> values, double factor) {
    for (double& value : values) value *= factor;
}

// One tile of one warp: keys first .. first + count - 1, as far as a row sees them.
void round_tile(const Plan& plan, const QuantizedRows<double>& k, std::span<Row> rows, size_t first,
                size_t count) {
    bool moved = false;
    const auto end_of = [&](const Row& row) { return std::min(first + count, row.scores.size()); };
    for (Row& row : rows) {
        row.top = -kInfinity;
        for (size_t j = first; j < end_of(row); ++j) {
            const float factor = row.factor(k, j), bias = -kBias * factor;
            row.top = std::max(row.top, std::fma(Row::biased(row.scores[j]), factor, bias));
        }
        moved |= row.top + row.offset > plan.rescale_threshold;
    }
    for (Row& row : rows) {
        if (moved) {
            const float offset = std::min(row.offset, plan.reference_bits - row.top);
            if (offset < row.offset) {
                multiply(row.scores.first(std::min(first, row.scores.size())),
                         std::exp2(static_cast<double>(offset) - row.offset));
            }
            row.offset = offset;
        }
        for (size_t j = first; j < end_of(row); ++j) {
            const float factor = row.factor(k, j);
            const float offset = std::fma(-kBias, factor, row.offset);
            const double exponent = std::fma(Row::biased(row.scores[j]), factor, offset);
            row.scores[j] = round_to_e4m3(std::exp2(exponent));
        }
    }
}

}  // namespace

void round_to_fp8(const Plan& plan, const ScoreBlock& block, const QuantizedRows<double>& q,
                  const QuantizedRows<double>& k, RowResult* results) {
    static_assert(ScoreBlock::kQueryRows % 16 == 0);  // whole warps
    for (int64_t warp = 0; warp < block.rows; warp += plan.warp_q) {
        const int64_t end = std::min<int64_t>(block.rows, warp + plan.warp_q);
        Row rows[ScoreBlock::kQueryRows];
        size_t most = 0;
        for (int64_t i = warp; i < end; ++i) {
            rows[i - warp].scores = block.row(i);
            rows[i - warp].scale = static_cast<float>(q.scale[block.first_row + i]);
            most = std::max(most, block.row(i).size());
        }
        const auto tile_k = static_cast<size_t>(plan.tile_k);
        for (size_t first = 0; first < most; first += tile_k) {
            round_tile(plan, k, {rows, static_cast<size_t>(end - warp)}, first, tile_k);
        }
        for (int64_t i = warp; i < end; ++i) {
            const Row& row = rows[i - warp];
            for (const double p : row.scores) results[i].divisor += p;
            results[i].lse_log2 = std::log2(results[i].divisor) - row.offset;
        }
    }
}

}  // namespace sagejit
