// The part of the analytic model that is particular to the wgmma family.
#pragma once

#include "tune/model.h"

namespace sagejit {

// Key tiles that all groups of one row of queries walk, as many as make one of a whole CTA counted
// as one: groups without queries, and tiles that none of a group's rows sees, take no part.
double wgmma_key_tiles(const Plan& plan, const Shape& shape);

// Clocks of the attention kernel: of the multiprocessor that is done last.
double wgmma_attention_clocks(const Plan& plan, const Shape& shape, const GpuRates& rates);

// Clocks of the quantizer besides waiting for bytes.
double wgmma_quantizer_clocks(const Plan& plan, const Shape& shape, const GpuRates& rates);

}  // namespace sagejit
