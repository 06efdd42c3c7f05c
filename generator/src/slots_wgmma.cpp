// The wgmma family's templates.
#include <fmt/format.h>

#include "slots.h"

namespace sagejit {
namespace {

Bindings wgmma_bindings(const Plan& plan) {
    const auto number = [](int value) { return std::to_string(value); };
    Bindings bindings = {
        {"head_dim", number(plan.spec.head_dim)},
        {"head_dim_v", number(plan.spec.head_dim_v)},
        {"head_dim_padded", number(plan.head_dim_padded)},
        {"tile_q", number(plan.tile_q)},
        {"tile_k", number(plan.tile_k)},
        {"warp_q", number(plan.warp_q)},
        {"warps", number(plan.warps)},
        {"threads", number(plan.threads)},
        {"stages", number(plan.stages)},
        {"ctas_per_sm", number(plan.ctas_per_sm)},
        {"output_columns", number(plan.output_columns)},
        {"panel_bytes", number(plan.panel_bytes)},
        {"value_panels", number(plan.value_panels)},
        {"rescale_threshold", fmt::format("{:.1f}f", plan.rescale_threshold)},
        {"mean_samples", number(plan.mean_samples)},
        {"stage_bytes", number(plan.stage_bytes)},
        {"k_offset", number(stage_region(plan, "k").offset)},
        {"meta_offset", number(stage_region(plan, "meta").offset)},
        {"v_offset", number(stage_region(plan, "v").offset)},
        {"ones_offset", number(plan.sums_by_mma ? stage_region(plan, "ones").offset : 0)},
        {"query_offset", number(plan.stages * plan.stage_bytes)},
        {"early_exp_steps", number(plan.early_exp_steps)},
        {"barrier_offset", number(plan.barrier_offset)},
        {"scratch_offset", number(plan.scratch_offset)},
        {"shared_bytes", number(plan.shared_bytes)},
        {"k_scales_per_tile", number(plan.k_scales_per_tile)},
        {"k_meta_words", number(plan.k_meta_words)},
        {"k_tile_bytes", number(plan.k_tile_bytes)},
        {"k_meta_bytes", number(plan.k_meta_bytes)},
        {"quant_threads", number(plan.quant_threads)},
        {"quant_lanes", number(plan.quant_lanes)},
    };
    return bindings;
}

}  // namespace

SourceParts wgmma_parts(const Plan& plan) {
    const Spec& spec = plan.spec;
    SourceParts parts{"wgmma/prologue.cuh", wgmma_bindings(plan), {}};
    parts.slots = {
        {"common.checks", "wgmma/checks.cuh"},
        {"common.input", input_variant(spec.dtype)},
        {"common.output", output_variant(spec.output_dtype)},
        {"common.rows", "common/rows.cuh"},
        {"attention.panels", "wgmma/panels.cuh"},
        {"quantize.groups", groups_variant(spec.granularity)},
        {"quantize.shift", spec.smooth_k ? "quantize/shift_sample.cuh" : "quantize/shift_none.cuh"},
        {"quantize.keep", spec.smooth_k ? "quantize/keep_mean.cuh" : "quantize/keep_none.cuh"},
        {"quantize.amax", "quantize/amax_tile.cuh"},
        {"quantize.rows", "quantize/rows.cuh"},
        {"quantize.read_key", "quantize/read_key.cuh"},
        {"quantize.place", "quantize/place_panels.cuh"},
        {"quantize.key", "quantize/key.cuh"},
        {"quantize.kernel", "wgmma/quantize.cuh"},
        {"attention.geometry", "wgmma/geometry.cuh"},
        {"attention.values",
         spec.pv_type == PvType::kBf16 ? "wgmma/values_bf16.cuh" : "wgmma/values_fp16.cuh"},
        {"attention.causal", mask_variant(spec.causal)},
        {"attention.pipeline", "wgmma/pipeline.cuh"},
        {"attention.query", "wgmma/query.cuh"},
        {"attention.products", "wgmma/products.cuh"},
        {"attention.sums", plan.sums_by_mma ? "wgmma/sums_mma.cuh" : "wgmma/sums_add.cuh"},
        {"attention.softmax", "wgmma/softmax.cuh"},
        {"attention.walk_state", "wgmma/walk_state.cuh"},
        {"attention.walk", "wgmma/walk.cuh"},
    };
    if (!spec.lse) {
        parts.slots.push_back({"attention.lse", "wgmma/lse_none.cuh"});
    } else {
        parts.slots.push_back(
            {"attention.shift", spec.smooth_k ? "wgmma/shift_mean.cuh" : "wgmma/shift_none.cuh"});
        parts.slots.push_back({"attention.lse", "wgmma/lse.cuh"});
    }
    parts.slots.push_back({"attention.repair", spec.causal == CausalMode::kNone
                                                   ? "wgmma/repair_none.cuh"
                                                   : "wgmma/repair_causal.cuh"});
    parts.slots.push_back({"attention.epilogue", "wgmma/epilogue.cuh"});
    parts.slots.push_back({"attention.kernel", "wgmma/kernel.cuh"});
    return parts;
}

}  // namespace sagejit
