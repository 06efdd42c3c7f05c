// Which lane of a warp holds which score, and which scales belong to it.
#pragma once

#include "sagejit/generator/plan.h"

namespace sagejit::analysis {

struct ScoreCell {
    int lane = 0;
    int element = 0;  // which of the lane's accumulators, from the first key on
    int q_group = 0;  // of Q's scale, within the tile
    int k_group = 0;  // of K's scale, within the tile
};

// The score of a query and a key of one warp's tile: row 0 .. 15, column 0 .. tile_k - 1. The
// accumulators of mma.m16n8k32 and of wgmma lie alike (PTX ISA, matrix fragments): lane 4 g + q
// holds rows g and g + 8 of columns 2 q and 2 q + 1 of each 8 keys.
ScoreCell score_cell(const Plan& plan, int row, int column);

// The physical 16-byte chunk that holds a row's logical one.
int physical_chunk(const SharedRegion& region, int row, int chunk);

}  // namespace sagejit::analysis
