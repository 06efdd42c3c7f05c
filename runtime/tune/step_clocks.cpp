#include "tune/step_clocks.h"

#include <algorithm>

namespace sagejit {
namespace {

// Instructions around the products, for each score: scaling, subtracting the maximum and adding to
// the row sum are one each at the vector rate; the maximum and half a packing of two are at half
// that rate. Scales per token add two.
constexpr double kVectorOperations = 3 + 2 * 1.5;
constexpr double kVectorOperationsPerToken = 2;

}  // namespace

double StepClocks::largest() const { return std::max({tensor, exponential, vector, shared}); }

double value_rate(const Plan& plan, const GpuRates& rates) {
    if (plan.v_path == VPath::kInt8 || plan.v_path == VPath::kFp8) return rates.int8;
    switch (plan.spec.pv_accum) {
        case PvAccum::kFp32:
        case PvAccum::kFp32PromoteInt32:
        case PvAccum::kFp32PromoteFp32:
            return rates.half_fp32;
        case PvAccum::kFp16:
        case PvAccum::kFp32PromoteFp16:
            return rates.half_fp16;
    }
    return rates.half_fp32;
}

double value_bytes(const Plan& plan) {
    return plan.v_path == VPath::kInt8 || plan.v_path == VPath::kFp8 ? 1 : 2;
}

double tile_bytes(const Plan& plan) {
    return plan.tile_k * (plan.head_dim_padded + value_bytes(plan) * plan.head_dim_v_padded);
}

StepClocks step_clocks(const Plan& plan, int queries, const GpuRates& rates) {
    const double scores = static_cast<double>(queries) * plan.tile_k;
    StepClocks clocks;
    clocks.tensor = scores * (plan.head_dim_padded / rates.int8 +
                              plan.head_dim_v_padded / value_rate(plan, rates));
    clocks.exponential = scores / rates.exponentials;
    const double operations =
        kVectorOperations + (plan.scale_per_token ? kVectorOperationsPerToken : 0);
    clocks.vector = scores * operations / rates.vector;
    // Every warp, or every group of warps, reads the whole tile.
    const bool grouped = plan.target.family == Family::kWgmma;
    const double readers =
        grouped ? static_cast<double>(queries) * plan.groups / plan.tile_q : plan.warps;
    const double query_bytes =
        plan.query_in_shared ? static_cast<double>(queries) * plan.head_dim_padded : 0;
    clocks.shared = (readers * tile_bytes(plan) + query_bytes) / rates.shared_bytes;
    return clocks;
}

}  // namespace sagejit
