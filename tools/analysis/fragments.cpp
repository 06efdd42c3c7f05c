#include "analysis/fragments.h"

#include "reference/quantizers.h"

namespace sagejit::analysis {

ScoreCell score_cell(const Plan& plan, int row, int column) {
    constexpr int kRows = 8, kColumns = 8, kLanesPerRow = 4, kPerLane = 4;
    ScoreCell cell;
    cell.lane = kLanesPerRow * (row % kRows) + column % kColumns / 2;
    cell.element = kPerLane * (column / kColumns) + 2 * (row / kRows) + column % 2;
    cell.q_group = static_cast<int>(q_scale_group(plan, row));
    cell.k_group = static_cast<int>(k_scale_group(plan, column));
    return cell;
}

int physical_chunk(const SharedRegion& region, int row, int chunk) {
    return chunk ^ ((row / region.swizzle_rows) & (region.swizzle_chunks - 1));
}

}  // namespace sagejit::analysis
