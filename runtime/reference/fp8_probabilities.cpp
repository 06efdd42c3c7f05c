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
constexpr double kLargest = 448;  // of e4m3

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

// A key tile: first .. first + count - 1, as far as a row sees them.
struct Tile {
    size_t first, count;

    size_t end_of(const Row& row) const { return std::min(first + count, row.scores.size()); }
};

void find_top(const QuantizedRows<double>& k, Row& row, const Tile& tile) {
    row.top = -kInfinity;
    for (size_t j = tile.first; j < tile.end_of(row); ++j) {
        const float factor = row.factor(k, j), bias = -kBias * factor;
        row.top = std::max(row.top, std::fma(Row::biased(row.scores[j]), factor, bias));
    }
}

// Makes the row's largest score of the tile 2^reference_bits, unless it was less.
void move(Row& row, const Tile& tile, float reference_bits) {
    const float offset = std::min(row.offset, reference_bits - row.top);
    if (offset < row.offset) {
        multiply(row.scores.first(std::min(tile.first, row.scores.size())),
                 std::exp2(static_cast<double>(offset) - row.offset));
    }
    row.offset = offset;
}

double probability(const QuantizedRows<double>& k, const Row& row, size_t key) {
    const float factor = row.factor(k, key);
    const float offset = std::fma(-kBias, factor, row.offset);
    const double exponent = std::fma(Row::biased(row.scores[key]), factor, offset);
    return round_to_e4m3(std::exp2(exponent));
}

void make_probabilities(const QuantizedRows<double>& k, std::span<Row> warp, const Tile& tile) {
    for (Row& row : warp) {
        for (size_t j = tile.first; j < tile.end_of(row); ++j)
            row.scores[j] = probability(k, row, j);
    }
}

// A warp that finds maxima first.
void round_carefully(const Plan& plan, const QuantizedRows<double>& k, std::span<Row> warp,
                     const Tile& tile) {
    bool moved = false;
    for (Row& row : warp) {
        find_top(k, row, tile);
        moved |= row.top + row.offset > plan.rescale_threshold;
    }
    if (moved) {
        for (Row& row : warp) move(row, tile, plan.reference_bits);
    }
    make_probabilities(k, warp, tile);
}

// And one that asks afterwards (templates/wgmma/bold_steps.cuh).
void round_boldly(const Plan& plan, const QuantizedRows<double>& k, std::span<Row> warp,
                  const Tile& tile) {
    bool outgrown = false;
    for (const Row& row : warp) {
        for (size_t j = tile.first; j < tile.end_of(row); ++j)
            outgrown |= probability(k, row, j) >= kLargest;
    }
    if (outgrown) {
        for (Row& row : warp) {
            find_top(k, row, tile);
            move(row, tile, plan.bold_reference);
        }
    }
    make_probabilities(k, warp, tile);
}

// How far the largest score of the first tile is above the mean of its first keys. The kernels sum
// integers in each of a row's four lanes, and then what the lanes make of them.
float spread_of(const QuantizedRows<double>& k, const Row& row, size_t tile_k) {
    const size_t keys = std::min<size_t>(tile_k, 32);
    float part[4];
    for (size_t lane = 0; lane < 4; ++lane) {
        double sum = 0;
        for (size_t j = 0; j < keys; ++j)
            if (j % 8 / 2 == lane) sum += row.scores[j];
        part[lane] = static_cast<float>(sum) * row.factor(k, 2 * lane);
    }
    const float sum = (part[0] + part[1]) + (part[2] + part[3]);
    return std::fma(sum, -1.0f / static_cast<float>(keys), row.top);
}

// Whether a warpgroup goes boldly, after it has seen the first tile. Its first row sees the fewest
// keys.
bool is_bold(const Plan& plan, const QuantizedRows<double>& k, std::span<Row> group) {
    const auto tile_k = static_cast<size_t>(plan.tile_k);
    const size_t unmasked = group.front().scores.size() / tile_k;
    if (plan.bold_tiles == 0 || unmasked < static_cast<size_t>(plan.bold_tiles)) return false;
    return std::all_of(group.begin(), group.end(), [&](Row& row) {
        find_top(k, row, {0, tile_k});
        return spread_of(k, row, tile_k) <= plan.bold_spread;
    });
}

}  // namespace

void round_to_fp8(const Plan& plan, const ScoreBlock& block, const QuantizedRows<double>& q,
                  const QuantizedRows<double>& k, RowResult* results) {
    Row rows[ScoreBlock::kQueryRows];
    const std::span<Row> group(rows, static_cast<size_t>(block.rows));
    size_t most = 0;
    for (int64_t i = 0; i < block.rows; ++i) {
        rows[i].scores = block.row(i);
        rows[i].scale = static_cast<float>(q.scale[block.first_row + i]);
        most = std::max(most, rows[i].scores.size());
    }
    const auto tile_k = static_cast<size_t>(plan.tile_k), warp_q = static_cast<size_t>(plan.warp_q);
    const bool bold = is_bold(plan, k, group);
    const size_t unmasked = group.front().scores.size() / tile_k;
    for (size_t tile = 0; tile * tile_k < most; ++tile) {
        const Tile keys{tile * tile_k, tile_k};
        for (size_t first = 0; first < group.size(); first += warp_q) {
            const std::span<Row> warp =
                group.subspan(first, std::min(warp_q, group.size() - first));
            if (bold && tile == 0) {
                for (Row& row : warp) {
                    find_top(k, row, keys);
                    move(row, keys, plan.bold_reference);
                }
                make_probabilities(k, warp, keys);
            } else if (bold && tile < unmasked) {
                round_boldly(plan, k, warp, keys);
            } else {
                round_carefully(plan, k, warp, keys);
            }
        }
    }
    for (int64_t i = 0; i < block.rows; ++i) {
        for (const double p : rows[i].scores) results[i].divisor += p;
        results[i].lse_log2 = std::log2(results[i].divisor) - rows[i].offset;
    }
}

}  // namespace sagejit
