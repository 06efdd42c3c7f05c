// Constants come from a fit to the measurements of twelve shapes, up to 47 plans each, in
// docs/benchmarks/rows/h200-2026-11-28-tuning-v14.jsonl. Of plans within 15 % of a shape's best the
// predictions scatter by 1 to 3 %; all of a shape's may be off together, at 16 batches of 1024 keys
// and head_dim 128 short by 15 %, which ranks nothing. kBytesPerClock, kClusterClocks and the
// load's clocks were chosen, not fitted.
#include "tune/wgmma_model.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "sagejit/generator/query_tiles.h"
#include "tune/step_clocks.h"

namespace sagejit {
namespace {

constexpr int kGroupQueries = 64;

// How well units overlap: clocks are the norm of this order of what each unit takes alone. One warp
// a scheduler would wait for each in turn (order 1, the sum); every doubling of the warps adds this
// much to the order. So three groups at head_dim 128 take 24 clocks a key of which the tensor cores
// take 18, and at head_dim 64 20 where the largest unit takes 12.
constexpr double kOverlap = 1.1;
// Issue slots of a warp in a step whatever its keys: waits, places in rings, scales.
constexpr double kStepInstructions = 90;
// Bytes that arrive from L2 cost power, so clocks, though L2 is not the limit. Clusters halve them;
// what that gains is about what the rows can tell, less than 1 % at head_dim 128.
constexpr double kBytesPerClock = 3000;
// Copies of a tile sometimes take longer than the steps of the other stages: the clocks lost fall
// by e with so many of these. It also is what orders plans that differ in nothing but stages, which
// the rows hardly tell apart (two stages are 0 to 3 % slower than four): the deeper queue goes
// first.
constexpr double kLoadClocks = 440, kLoadSpread = 250;
// Of a CTA's query tile: reading Q, first and last product, which nothing overlaps, the epilogue.
constexpr double kTileClocks = 4800;
// Groups begin in phase, each waiting for the same unit, and take these steps to drift apart.
constexpr double kStepsInPhase = 5.3;
// Of a call in clusters: they start later, and at first wait for each other; and again in each
// step.
constexpr double kClusterClocks = 2000, kClusterStepClocks = 8;
// Of the quantizer, for each tile of keys of a multiprocessor, and for each pass over its rows.
constexpr double kQuantTileClocks = 400, kQuantPassClocks = 110;
// Longer queues are as good as evenly shared.
constexpr int64_t kMostTurns = 256;

int groups_of(int64_t queries) {
    return static_cast<int>(divide_up(std::max<int64_t>(queries, 0), kGroupQueries));
}

// Keys that the query sees.
int64_t keys_seen(const Plan& plan, const Shape& shape, int64_t query) {
    if (plan.spec.causal == CausalMode::kNone) return shape.len_k;
    const int64_t shift =
        plan.spec.causal == CausalMode::kBottomRight ? shape.len_k - shape.len_q : 0;
    return std::clamp<int64_t>(query + shift + 1, 0, shape.len_k);
}

// Promoted sums are read and written once every promote_tiles steps.
double promotion_clocks(const Plan& plan, int groups, const GpuRates& rates) {
    if (plan.promote_tiles == 0) return 0;
    const double bytes = 2.0 * 4 * groups * kGroupQueries * plan.head_dim_v_padded;
    return bytes / rates.shared_bytes / plan.promote_tiles;
}

struct Step {
    double clocks = 0;
    double in_phase = 0;  // more than that while the groups are in phase
};

// A step of a CTA of which that many groups have queries.
Step step_of(const Plan& plan, int groups, const GpuRates& rates) {
    const int queries = groups * kGroupQueries;
    const StepClocks units = step_clocks(plan, queries, rates);
    // Q K reads both operands from shared memory, Q again for every tile; P V only V.
    const double scores = static_cast<double>(queries) * plan.tile_k;
    const double key_bytes = static_cast<double>(plan.head_dim_padded) * plan.tile_k * groups;
    const double query_bytes = static_cast<double>(queries) * plan.head_dim_padded;
    const double values = static_cast<double>(plan.head_dim_v_padded) * plan.tile_k * groups;
    const double products = std::max(scores * plan.head_dim_padded / rates.int8,
                                     (key_bytes + query_bytes) / rates.shared_bytes) +
                            std::max(scores * plan.head_dim_v_padded / value_rate(plan, rates),
                                     values * value_bytes(plan) / rates.shared_bytes);
    const double vector = units.vector + groups * kStepInstructions;
    const double order = 1 + kOverlap * std::log2(plan.groups);
    double clocks = std::pow(
        std::pow(products, order) + std::pow(units.exponential, order) + std::pow(vector, order),
        1 / order);
    clocks += tile_bytes(plan) / plan.cluster_q / kBytesPerClock;
    clocks += promotion_clocks(plan, groups, rates);
    clocks = std::max({clocks, units.largest(), products});
    clocks += kLoadClocks * std::exp(-clocks * (plan.stages - 1) / kLoadSpread);
    if (plan.cluster_q > 1) clocks += kClusterStepClocks;
    return {clocks, std::max(0.0, products + units.exponential + vector - clocks)};
}

// Clocks until the last multiprocessor is done, of tiles of two heights.
double shared_out_by_height(const Plan& plan, const Shape& shape, const GpuRates& rates) {
    const int64_t ctas = int64_t{rates.multiprocessors} * plan.ctas_per_sm;
    const QueryTiles cut = cut_queries(plan, shape, static_cast<int>(ctas));
    const auto walked = static_cast<double>(divide_up(shape.len_k, plan.tile_k));
    const auto clocks = [&](int groups) {
        return walked * step_of(plan, groups, rates).clocks + kTileClocks;
    };
    const double tall = clocks(plan.groups);
    const double part = cut.low > 0 ? clocks(cut.low_rows / kGroupQueries) / tall : 1;
    const int64_t heads = shape.batch * shape.heads_q;
    if (heads * cut.count() > kMostTurns * ctas) {
        return tall * static_cast<double>(heads) * (cut.tall + part * cut.low) /
               static_cast<double>(ctas);
    }
    return tall * last_end(heads * cut.tall, heads * cut.low, part, ctas);
}

// Clocks of the query tiles of one head, in the order in which CTAs take them.
std::vector<double> tile_clocks(const Plan& plan, const Shape& shape, const GpuRates& rates) {
    std::vector<Step> steps(static_cast<size_t>(plan.groups) + 1);
    for (int groups = 1; groups <= plan.groups; ++groups) {
        steps[static_cast<size_t>(groups)] = step_of(plan, groups, rates);
    }
    std::vector<double> clocks;
    // `count` tiles of `queries` from query `first` on.
    const auto add = [&](int64_t first, int64_t queries, int64_t count) {
        const int64_t end = std::min(first + queries, shape.len_q);
        const int groups = std::min(groups_of(end - first), plan.groups);
        const int64_t walked = divide_up(keys_seen(plan, shape, end - 1), plan.tile_k);
        clocks.insert(
            clocks.end(), static_cast<size_t>(count),
            static_cast<double>(walked) * steps[static_cast<size_t>(groups)].clocks + kTileClocks);
        return end;
    };
    int64_t query = 0;
    if (plan.has_low_tiles) {
        const QueryTiles cut = cut_queries(plan, shape, rates.multiprocessors * plan.ctas_per_sm);
        for (int tile = 0; tile < cut.low; ++tile) query = add(query, cut.low_rows, 1);
    }
    // A cluster is as slow as its CTA of more queries, and walks what its last query sees.
    const int64_t cluster_queries = int64_t{plan.cluster_q} * plan.tile_q;
    while (query < shape.len_q) query = add(query, cluster_queries, plan.cluster_q);
    return clocks;
}

// Clocks until the last multiprocessor is done with its share.
double shared_out(const Plan& plan, const std::vector<double>& tiles, double heads,
                  int64_t multiprocessors) {
    double total = 0;
    for (const double clocks : tiles) total += clocks;
    total *= heads;
    const double longest = *std::max_element(tiles.begin(), tiles.end());
    const double count = heads * static_cast<double>(tiles.size());
    const double turns = count / static_cast<double>(multiprocessors);
    const double even = total / static_cast<double>(multiprocessors);
    // Under a mask long tiles go first, and short ones fill the gaps.
    if (plan.spec.causal != CausalMode::kNone || turns > kMostTurns) {
        return std::max(longest, even + total / count / 2);
    }
    // CTA i takes tiles i, i + multiprocessors, ..
    double most = 0;
    const auto all = static_cast<int64_t>(count);
    for (int64_t cta = 0; cta < std::min(multiprocessors, all); ++cta) {
        double mine = 0;
        for (int64_t tile = cta; tile < all; tile += multiprocessors) {
            mine += tiles[static_cast<size_t>(tile) % tiles.size()];
        }
        most = std::max(most, mine);
    }
    return most;
}

}  // namespace

double wgmma_key_tiles(const Plan& plan, const Shape& shape) {
    if (plan.spec.causal == CausalMode::kNone) {
        return static_cast<double>(groups_of(shape.len_q) * divide_up(shape.len_k, plan.tile_k)) /
               plan.groups;
    }
    double total = 0;
    for (int64_t first = 0; first < shape.len_q; first += kGroupQueries) {
        const int64_t last = std::min<int64_t>(first + kGroupQueries, shape.len_q) - 1;
        total += static_cast<double>(divide_up(keys_seen(plan, shape, last), plan.tile_k));
    }
    return total / plan.groups;
}

double wgmma_attention_clocks(const Plan& plan, const Shape& shape, const GpuRates& rates) {
    const auto heads = static_cast<double>(shape.batch * shape.heads_q);
    const double clocks = plan.has_low_tiles && plan.spec.causal == CausalMode::kNone
                              ? shared_out_by_height(plan, shape, rates)
                              : shared_out(plan, tile_clocks(plan, shape, rates), heads,
                                           rates.multiprocessors * plan.ctas_per_sm);
    const double steps = static_cast<double>(divide_up(shape.len_k, plan.tile_k));
    const double in_phase =
        std::min(kStepsInPhase, steps) * step_of(plan, plan.groups, rates).in_phase;
    return clocks + in_phase + (plan.cluster_q > 1 ? kClusterClocks : 0);
}

double wgmma_quantizer_clocks(const Plan& plan, const Shape& shape, const GpuRates& rates) {
    const double tiles =
        static_cast<double>(shape.batch * shape.heads_kv * divide_up(shape.len_k, plan.tile_k)) /
        rates.multiprocessors;
    const double passes =
        static_cast<double>(divide_up(plan.tile_k, plan.quant_threads / plan.quant_lanes));
    return tiles * (kQuantTileClocks + kQuantPassClocks * passes);
}

}  // namespace sagejit
