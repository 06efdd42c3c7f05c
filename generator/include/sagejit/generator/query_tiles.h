// How the queries of a head are cut into tiles that CTAs take one after the other.
#pragma once

#include <cstdint>

#include "sagejit/generator/plan.h"

namespace sagejit {

struct Shape;

// Of one head, in the order of its queries.
struct QueryTiles {
    int tall = 0;      // tiles of plan.tile_q queries
    int low = 0;       // tiles of fewer, behind them; under a mask ahead of them
    int low_rows = 0;  // queries of a low one, a multiple of 64; the last may have fewer
    int count() const { return tall + low; }
};

// Cuts the queries of every head of a call so that, as far as a model of their durations tells, the
// last of `ctas` CTAs is through soonest; where that gains little, into as few tiles as will do.
// Under a mask into as few tiles as will do, and what they have room for beyond the queries is left
// out where rows are shortest. Only plans with low tiles have a choice. Results do not depend on
// it. Shape: batch, heads_q and len_q > 0 count. ctas > 0.
QueryTiles cut_queries(const Plan& plan, const Shape& shape, int ctas);

// When the last of `ctas` CTAs is through, in tall tiles, where `tall` tiles that take 1 and then
// `low` ones that take `part` go to whichever is free first.
double last_end(int64_t tall, int64_t low, double part, int64_t ctas);

}  // namespace sagejit
