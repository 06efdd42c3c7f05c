#include "sagejit/generator/query_tiles.h"

#include <algorithm>
#include <cstdint>

#include "sagejit/generator/workspace.h"

namespace sagejit {
namespace {

constexpr int kGroupRows = 64;
// What a tile takes besides its groups of rows, in groups: fitted to tiles of 1 to 4 groups
// (docs/benchmarks/hopper-log.md, version 17).
constexpr double kTileOverhead = 3;
constexpr double kWorthwhile = 0.99;  // of the time of the fewest tiles
constexpr int kMostTurns = 64;        // of tall tiles; with more there is nothing to gain
constexpr int kMostChoices = 12;      // numbers of low tiles that are tried for each height

// The fewest tiles: tall ones and what is left.
QueryTiles fewest_tiles(int groups, int tall_groups) {
    const int left = groups % tall_groups;
    return {groups / tall_groups, left > 0 ? 1 : 0, left * kGroupRows};
}

// As few tiles under a mask: the last rows see the most keys, so that a tile of few groups would
// waste the most there. A group less in each of the first ones.
QueryTiles low_ones_first(int groups, int tall_groups) {
    const int tiles = (groups + tall_groups - 1) / tall_groups;
    const int spare = tiles * tall_groups - groups;
    if (spare == 0 || spare > tiles) return {tiles, 0, 0};
    return {tiles - spare, spare, (tall_groups - 1) * kGroupRows};
}

}  // namespace

double last_end(int64_t tall, int64_t low, double part, int64_t ctas) {
    const int64_t turns = tall / ctas, longer = tall % ctas;  // CTAs with a turn more
    double end = static_cast<double>(turns + (longer > 0 ? 1 : 0));
    double early = static_cast<double>(turns) + part, late = early + 1;
    while (low > 0) {
        const bool is_late = longer > 0 && late < early;
        end = std::max(end, is_late ? late : early);
        low -= is_late ? longer : ctas - longer;
        (is_late ? late : early) += part;
    }
    return end;
}

QueryTiles cut_queries(const Plan& plan, const Shape& shape, int ctas) {
    const int tall_groups = plan.tile_q / kGroupRows;
    const int groups = static_cast<int>((shape.len_q + kGroupRows - 1) / kGroupRows);
    // Scales of a whole tile depend on which rows are in it.
    const bool has_choice = plan.has_low_tiles && plan.spec.granularity != Granularity::kBlock;
    if (plan.spec.causal != CausalMode::kNone) {
        if (has_choice) return low_ones_first(groups, tall_groups);
        return {(groups + tall_groups - 1) / tall_groups, 0, 0};
    }
    const QueryTiles fewest = fewest_tiles(groups, tall_groups);
    const int64_t heads = shape.batch * shape.heads_q;
    if (!has_choice || heads * fewest.tall > int64_t{kMostTurns} * ctas) return fewest;
    const auto duration = [&](const QueryTiles& tiles) {
        const double part =
            (tiles.low_rows / kGroupRows + kTileOverhead) / (tall_groups + kTileOverhead);
        return last_end(heads * tiles.tall, heads * tiles.low, part, ctas);
    };
    QueryTiles best = fewest;
    double least = kWorthwhile * duration(fewest);
    const auto consider = [&](const QueryTiles& tiles) {
        const double time = duration(tiles);
        if (time >= least) return;
        least = time;
        best = tiles;
    };
    for (int low_groups = tall_groups - 1; low_groups > 0; --low_groups) {
        int choices = 0;
        for (int low = 1; low * low_groups < groups && choices < kMostChoices; ++low) {
            const int rest = groups - low * low_groups;
            if (rest % tall_groups != 0) continue;
            consider({rest / tall_groups, low, low_groups * kGroupRows});
            ++choices;
        }
        consider({0, (groups + low_groups - 1) / low_groups, low_groups * kGroupRows});
    }
    return best;
}

}  // namespace sagejit
