// What one multiprocessor spends on one key tile of one CTA, by unit.
#pragma once

#include <cstdint>

#include "tune/model.h"

namespace sagejit {

struct StepClocks {
    double tensor = 0, exponential = 0, vector = 0, shared = 0;

    double largest() const;
    double sum() const { return tensor + exponential + vector + shared; }
};

// Of a CTA of which that many queries exist: tile_q, or less in the last tile of a row.
StepClocks step_clocks(const Plan& plan, int queries, const GpuRates& rates);

// Multiply-adds a clock of P V.
double value_rate(const Plan& plan, const GpuRates& rates);
// Bytes of a value as the attention kernel reads it.
double value_bytes(const Plan& plan);
// Bytes of a tile of keys and values.
double tile_bytes(const Plan& plan);

inline int64_t divide_up(int64_t value, int64_t divisor) { return (value + divisor - 1) / divisor; }

}  // namespace sagejit
