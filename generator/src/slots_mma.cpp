// The mma.sync family's templates.
#include <fmt/format.h>

#include "sagejit/generator/error.h"
#include "slots.h"

namespace sagejit {
namespace {

// Estimates past which ptxas of CUDA 13.0 spilled what stayed in registers from turn to turn.
constexpr int kRegistersWithAddresses = 180;

bool keeps_addresses(const Plan& plan) { return plan.register_estimate <= kRegistersWithAddresses; }

// Before sm_90 the compiler takes parts of addresses out of the loop, then spills them.
bool computes_anew(const Plan& plan) { return !keeps_addresses(plan) && plan.target.arch < 90; }

std::string_view load_v_variant(VPath path) {
    switch (path) {
        case VPath::kDirect:
            return "attention/load_v_direct.cuh";
        case VPath::kScaledFp16:
            return "attention/load_v_scaled.cuh";
        case VPath::kInt8:
            return "attention/load_v_int8.cuh";
        case VPath::kFp8:
            break;  // not by mma.sync
    }
    throw Error(ErrorCode::kInternal, "unknown value path", "source");
}

std::string_view value_scale_variant(VPath path) {
    switch (path) {
        case VPath::kDirect:
            return "attention/value_scale_none.cuh";
        case VPath::kScaledFp16:
            return "attention/value_scale_fp16.cuh";
        case VPath::kInt8:
            return "attention/value_scale_int8.cuh";
        case VPath::kFp8:
            break;
    }
    throw Error(ErrorCode::kInternal, "unknown value path", "source");
}

std::string_view quantize_v_variant(VPath path) {
    switch (path) {
        case VPath::kDirect:
            return "quantize/value_none.cuh";
        case VPath::kScaledFp16:
            return "quantize/value_scaled.cuh";
        case VPath::kInt8:
            return "quantize/value_int8.cuh";
        case VPath::kFp8:
            break;
    }
    throw Error(ErrorCode::kInternal, "unknown value path", "source");
}

std::string_view pv_variant(PvAccum accum) {
    switch (accum) {
        case PvAccum::kFp32:
            return "attention/pv_fp16_fp32.cuh";
        case PvAccum::kFp16:
            return "attention/pv_fp16_fp16.cuh";
        case PvAccum::kFp32PromoteFp16:
            return "attention/pv_fp16_promote.cuh";
        case PvAccum::kFp32PromoteInt32:
            return "attention/pv_int8.cuh";
        case PvAccum::kFp32PromoteFp32:
            break;
    }
    throw Error(ErrorCode::kInternal, "unknown accumulation", "source");
}

std::vector<Slot> statistics_slots(const Plan& plan) {
    if (!plan.has_statistics) return {};
    return {
        {"statistics.keys",
         plan.spec.smooth_k ? "statistics/keys_sum.cuh" : "statistics/keys_none.cuh"},
        {"statistics.values", plan.v_path == VPath::kDirect ? "statistics/values_none.cuh"
                                                            : "statistics/values_amax.cuh"},
        {"statistics.kernel", "statistics/kernel.cuh"},
    };
}

std::vector<Slot> quantize_slots(const Plan& plan) {
    const bool lse_shift = plan.spec.lse && plan.spec.smooth_k;
    std::vector<Slot> slots = {
        {"quantize.groups", groups_variant(plan.spec.granularity)},
        {"quantize.shift",
         plan.spec.smooth_k ? "quantize/shift_mean.cuh" : "quantize/shift_none.cuh"},
        {"quantize.lse_shift",
         lse_shift ? "quantize/lse_shift_dot.cuh" : "quantize/lse_shift_none.cuh"},
        {"quantize.amax", plan.has_amax ? "quantize/amax_matrix.cuh" : "quantize/amax_tile.cuh"},
        {"quantize.round", "quantize/round.cuh"},
        {"quantize.rows", "quantize/rows.cuh"},
        {"quantize.read_query", "quantize/read_query.cuh"},
        {"quantize.read_key", "quantize/read_key.cuh"},
        {"quantize.place", "quantize/place_rows.cuh"},
        {"quantize.query", "quantize/query.cuh"},
        {"quantize.key", "quantize/key.cuh"},
        {"quantize.value", quantize_v_variant(plan.v_path)},
        {"quantize.kernel", "quantize/kernel.cuh"},
    };
    if (plan.has_amax) slots.push_back({"quantize.amax_kernel", "quantize/amax_kernel.cuh"});
    return slots;
}

std::vector<Slot> attention_slots(const Plan& plan) {
    const Spec& spec = plan.spec;
    const bool fp16_values = plan.v_path != VPath::kInt8;
    const bool guard = fp16_values && spec.causal != CausalMode::kNone;
    std::vector<Slot> slots = {
        {"attention.state", "attention/state.cuh"},
        {"attention.causal", mask_variant(spec.causal)},
        {"attention.position", "attention/position.cuh"},
        {"attention.query", "attention/query.cuh"},
        {"attention.load_query",
         plan.query_in_shared ? "attention/query_shared.cuh" : "attention/query_registers.cuh"},
        {"attention.load_k", "attention/load_k.cuh"},
        {"attention.load_v", load_v_variant(plan.v_path)},
        {"attention.qk", "attention/qk_int8.cuh"},
        {"attention.bias", plan.scale_per_token     ? "attention/bias_gone.cuh"
                           : plan.score_bias_folded ? "attention/bias_folded.cuh"
                                                    : "attention/bias_exact.cuh"},
        {"attention.dequantize",
         plan.scale_per_token ? "attention/dequantize_token.cuh" : "attention/dequantize_lane.cuh"},
        {"attention.mask", "attention/mask.cuh"},
    };
    if (fp16_values) slots.push_back({"attention.values", "attention/values_fp16.cuh"});
    slots.push_back({"attention.pv", pv_variant(spec.pv_accum)});
    slots.push_back({"attention.softmax", "attention/softmax.cuh"});
    if (guard) {
        slots.push_back({"attention.add", spec.pv_accum == PvAccum::kFp16
                                              ? "attention/add_fp16.cuh"
                                              : "attention/add_fp32.cuh"});
    }
    slots.push_back(
        {"attention.guard", guard ? "attention/guard_causal.cuh" : "attention/guard_none.cuh"});
    slots.push_back({"attention.value_scale", value_scale_variant(plan.v_path)});
    slots.push_back({"attention.lse", !spec.lse       ? "attention/lse_none.cuh"
                                      : spec.smooth_k ? "attention/lse_smoothed.cuh"
                                                      : "attention/lse_plain.cuh"});
    slots.push_back({"attention.epilogue", "attention/epilogue.cuh"});
    const bool whole = plan.query_in_shared || spec.pv_accum == PvAccum::kFp32PromoteFp16 ||
                       spec.pv_accum == PvAccum::kFp32PromoteInt32;
    slots.push_back(
        {"attention.turn", whole ? "attention/turn_whole.cuh" : "attention/turn_interleaved.cuh"});
    slots.push_back({"attention.pace", plan.stages >= 4 ? "attention/pace_apart.cuh"
                                                        : "attention/pace_together.cuh"});
    slots.push_back({"attention.walk", "attention/walk.cuh"});
    slots.push_back({"attention.kernel", "attention/kernel.cuh"});
    return slots;
}

Bindings mma_bindings(const Plan& plan) {
    const SharedRegion& k = stage_region(plan, "k");
    const SharedRegion& v = stage_region(plan, "v");
    const auto number = [](int value) { return std::to_string(value); };
    return {
        {"head_dim", number(plan.spec.head_dim)},
        {"head_dim_v", number(plan.spec.head_dim_v)},
        {"head_dim_padded", number(plan.head_dim_padded)},
        {"head_dim_v_padded", number(plan.head_dim_v_padded)},
        {"tile_q", number(plan.tile_q)},
        {"tile_k", number(plan.tile_k)},
        {"warp_q", number(plan.warp_q)},
        {"warps", number(plan.warps)},
        {"threads", number(plan.threads)},
        {"stages", number(plan.stages)},
        {"ctas_per_sm", number(plan.ctas_per_sm)},
        {"keeps_addresses", keeps_addresses(plan) ? "true" : "false"},
        {"computes_anew", computes_anew(plan) ? "true" : "false"},
        {"m_tiles", number(plan.m_tiles)},
        {"rescale_threshold", fmt::format("{:.1f}f", plan.rescale_threshold)},
        {"stage_bytes", number(plan.stage_bytes)},
        {"k_offset", number(k.offset)},
        {"k_row_bytes", number(k.row_bytes)},
        {"k_swizzle_chunks", number(k.swizzle_chunks)},
        {"k_swizzle_rows", number(k.swizzle_rows)},
        {"v_offset", number(v.offset)},
        {"v_rows", number(v.rows)},
        {"v_row_bytes", number(v.row_bytes)},
        {"v_swizzle_chunks", number(v.swizzle_chunks)},
        {"v_swizzle_rows", number(v.swizzle_rows)},
        {"meta_offset", number(stage_region(plan, "meta").offset)},
        {"query_offset", number(plan.stages * plan.stage_bytes)},
        {"query_bytes", number(plan.barrier_offset - plan.stages * plan.stage_bytes)},
        {"barrier_offset", number(plan.barrier_offset)},
        {"shared_bytes", number(plan.shared_bytes)},
        {"q_scales_per_tile", number(plan.q_scales_per_tile)},
        {"k_scales_per_tile", number(plan.k_scales_per_tile)},
        {"k_meta_words", number(plan.k_meta_words)},
        {"k_tile_bytes", number(plan.k_tile_bytes)},
        {"k_meta_bytes", number(plan.k_meta_bytes)},
        {"quant_threads", number(plan.quant_threads)},
        {"quant_lanes", number(plan.quant_lanes)},
        {"quant_lanes_v", number(plan.quant_lanes_v)},
    };
}

}  // namespace

SourceParts mma_parts(const Plan& plan) {
    SourceParts parts{"common/prologue.cuh", mma_bindings(plan), {}};
    parts.slots = {
        {"common.checks", "common/checks.cuh"},
        {"common.swizzle", "common/swizzle.cuh"},
        {"common.input", input_variant(plan.spec.dtype)},
        {"common.output", output_variant(plan.spec.output_dtype)},
        {"common.rows", "common/rows.cuh"},
    };
    for (const std::vector<Slot>& part :
         {statistics_slots(plan), quantize_slots(plan), attention_slots(plan)}) {
        parts.slots.insert(parts.slots.end(), part.begin(), part.end());
    }
    return parts;
}

}  // namespace sagejit
