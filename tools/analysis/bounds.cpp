#include "analysis/bounds.h"

#include <algorithm>

#include "bench/work.h"

namespace sagejit::analysis {
namespace {

constexpr double kMilli = 1e3, kTera = 1e12;
constexpr double kHalfBytes = 2;

// Plans for sm_90a use the warpgroup's instructions, all others mma.sync.
double tensor_share(const Plan& plan, const Machine& machine) {
    return plan.target.name.ends_with('a') ? 1 : machine.mma_sync_share;
}

// fp32 instructions for one score, as the fragments spell them: the maximum, the multiply-add of
// the exponent, the sum, half a packed conversion of P.
double float_instructions(const Plan& plan) {
    constexpr double kSoftmax = 3.5;
    double count = kSoftmax;
    // Integer to float: folded into the softmax, or a conversion; then the scale.
    count += plan.score_bias_folded ? 0.5 : 2;
    if (plan.scale_per_token) count += 1;  // the key's own scale
    // Rounded probabilities, their packing, and sums that are scaled once a tile.
    if (plan.spec.pv_type == PvType::kInt8) count += 1.5;
    if (plan.spec.pv_accum == PvAccum::kFp32PromoteFp16 || plan.spec.pv_type == PvType::kInt8) {
        count += static_cast<double>(plan.head_dim_v_padded) / plan.tile_k;
    }
    return count;
}

double preparation_bytes(const Plan& plan, const Shape& shape) {
    const double q = static_cast<double>(shape.batch) * static_cast<double>(shape.heads_q) *
                     static_cast<double>(shape.len_q) * plan.spec.head_dim;
    const double kv = static_cast<double>(shape.batch) * static_cast<double>(shape.heads_kv) *
                      static_cast<double>(shape.len_k);
    const double k = kv * plan.spec.head_dim, v = kv * plan.spec.head_dim_v;
    double bytes = (q + k) * (kHalfBytes + 1);  // read in fp16, written in int8
    if (plan.spec.smooth_k) bytes += k * kHalfBytes;
    if (plan.has_amax) bytes += (q + k) * kHalfBytes;
    if (plan.v_path != VPath::kDirect) {
        const double written = plan.v_path == VPath::kInt8 ? 1 : kHalfBytes;
        bytes += v * (2 * kHalfBytes + written);  // read for the maxima, then to convert
    }
    return bytes;
}

double attention_bytes(const Plan& plan, const Shape& shape) {
    const double q_rows = static_cast<double>(shape.batch) * static_cast<double>(shape.heads_q) *
                          static_cast<double>(shape.len_q);
    const double k_rows = static_cast<double>(shape.batch) * static_cast<double>(shape.heads_kv) *
                          static_cast<double>(shape.len_k);
    const double value_bytes = plan.v_path == VPath::kInt8 ? 1 : kHalfBytes;
    return q_rows * (plan.head_dim_padded + kHalfBytes * plan.spec.head_dim_v) +
           k_rows * (plan.head_dim_padded + value_bytes * plan.spec.head_dim_v);
}

}  // namespace

double qk_rate(const Plan& plan, const Machine& machine) {
    return machine.int8_operations * tensor_share(plan, machine);
}

double pv_rate(const Plan& plan, const Machine& machine) {
    const double share = tensor_share(plan, machine);
    switch (plan.spec.pv_type) {
        case PvType::kInt8:
            return machine.int8_operations * share;
        case PvType::kFp16:
            break;
    }
    const bool wide = plan.spec.pv_accum == PvAccum::kFp32;
    return (wide ? machine.fp16_fp32_operations : machine.fp16_operations) * share;
}

CallBounds call_bounds(const Plan& plan, const Shape& shape, const Machine& machine) {
    CallBounds bounds;
    const double pairs = static_cast<double>(shape.batch) * static_cast<double>(shape.heads_q) *
                         visible_pairs(shape, plan.spec.causal);
    const auto ms = [&](double amount, double per_clock) {
        return per_clock > 0 ? amount / machine.operations_per_second(per_clock) * kMilli : 0;
    };
    bounds.operations = attention_flops(shape, plan.spec);
    // The tensor cores multiply padded channels too.
    bounds.qk_ms = ms(2 * pairs * plan.head_dim_padded, qk_rate(plan, machine));
    bounds.pv_ms = ms(2 * pairs * plan.head_dim_v_padded, pv_rate(plan, machine));
    bounds.exponential_ms = ms(pairs, machine.exponentials);
    bounds.float_ms = ms(pairs * float_instructions(plan), machine.float_instructions);
    bounds.bytes = attention_bytes(plan, shape);
    bounds.memory_ms = bounds.bytes / (machine.memory_tb_s * kTera) * kMilli;
    bounds.preparation_ms = preparation_bytes(plan, shape) / (machine.memory_tb_s * kTera) * kMilli;
    return bounds;
}

std::vector<Bound> CallBounds::list() const {
    std::vector<Bound> all = {{"tensor cores", tensor_ms()},
                              {"exponentials", exponential_ms},
                              {"fp32 arithmetic", float_ms},
                              {"device memory", memory_ms}};
    std::stable_sort(all.begin(), all.end(), [](const Bound& a, const Bound& b) {
        return a.milliseconds > b.milliseconds;
    });
    return all;
}

double CallBounds::attention_ms() const { return list().front().milliseconds; }
std::string CallBounds::limiting() const { return list().front().resource; }

}  // namespace sagejit::analysis
