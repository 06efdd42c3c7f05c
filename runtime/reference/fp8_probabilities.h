// Probabilities in e4m3, as the wgmma kernels make them.
#pragma once

#include "reference/quantizers.h"
#include "reference/score_block.h"
#include "sagejit/generator/plan.h"

namespace sagejit {

// What a row of P becomes.
struct RowResult {
    double divisor = 0;   // of the product with V
    double lse_log2 = 0;  // of the quantized scores, base 2
};

// Turns a block's integer scores into probabilities rounded to e4m3, and fills rows[0 ..
// block.rows). Rounding is relative to a reference, which the rows of a warp move together: at the
// first tile of tile_k keys at which one of them would exceed 2^rescale_threshold, every row that a
// new largest score allows to; where the block, which is a warpgroup's, is bold, at the first at
// which one of them would exceed what e4m3 holds. Rounding is so coarse that exponents are those of
// the kernels, in fp32, not better ones. The row sum is that of the rounded probabilities.
// Rescaling is exact here.
void round_to_fp8(const Plan& plan, const ScoreBlock& block, const QuantizedRows<double>& q,
                  const QuantizedRows<double>& k, RowResult* rows);

}  // namespace sagejit
