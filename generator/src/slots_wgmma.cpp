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
        {"cluster_q", number(plan.cluster_q)},
        {"output_columns", number(plan.output_columns)},
        {"panel_bytes", number(plan.panel_bytes)},
        {"value_panels", number(plan.value_panels)},
        {"product_keys", number(plan.product_keys)},
        {"value_panel_bytes", number(plan.value_panel_bytes)},
        {"value_tile_bytes", number(plan.value_tile_bytes)},
        {"reference_bits", fmt::format("{:.1f}f", plan.reference_bits)},
        {"promote_tiles", number(plan.promote_tiles)},
        {"value_samples", number(plan.value_samples)},
        {"short_value_keys", number(kShortValueKeys)},
        {"value_sample_keys", number(kValueSampleKeys)},
        {"most_value_samples", number(kMostValueSamples)},
        {"master_offset", number(plan.master_offset)},
        {"master_reference_offset", number(plan.master_reference_offset)},
        {"quant_lanes_v", number(plan.quant_lanes_v)},
        {"rescale_threshold", fmt::format("{:.1f}f", plan.rescale_threshold)},
        {"mean_samples", number(plan.mean_samples)},
        {"stage_bytes", number(plan.stage_bytes)},
        {"k_offset", number(stage_region(plan, "k").offset)},
        {"meta_offset", number(stage_region(plan, "meta").offset)},
        {"v_offset", number(stage_region(plan, "v").offset)},
        {"ones_offset", number(plan.sums_by_mma ? stage_region(plan, "ones").offset : 0)},
        {"query_offset", number(plan.stages * plan.stage_bytes)},
        {"query_blocks", number(plan.query_blocks)},
        {"query_block_bytes", number(plan.query_block_bytes)},
        {"block_signal_offset", number(plan.block_signal_offset)},
        {"value_terms_offset", number(plan.value_terms_offset)},
        {"early_exp_steps", number(plan.early_exp_steps)},
        {"scale_lead", number(plan.scale_lead)},
        {"bold_tiles", number(plan.bold_tiles)},
        {"bold_waits_first", plan.bold_waits_first ? "true" : "false"},
        {"bold_spread", fmt::format("{:.1f}f", plan.bold_spread)},
        {"bold_reference", fmt::format("{:.1f}f", plan.bold_reference)},
        {"bold_offset", number(plan.bold_offset)},
        {"order_offset", number(plan.draws_tiles ? stage_region(plan, "order").offset : 0)},
        {"barrier_offset", number(stage_region(plan, "barriers").offset)},
        {"scratch_offset", number(plan.scratch_offset)},
        {"shared_bytes", number(plan.shared_bytes)},
        {"k_scales_per_tile", number(plan.k_scales_per_tile)},
        {"k_meta_words", number(plan.k_meta_words)},
        {"k_tile_bytes", number(plan.k_tile_bytes)},
        {"k_meta_bytes", number(plan.k_meta_bytes)},
        {"quant_threads", number(plan.quant_threads)},
        {"quant_ctas_per_sm", number(plan.quant_ctas_per_sm)},
        {"quant_lanes", number(plan.quant_lanes)},
    };
    return bindings;
}

}  // namespace

SourceParts wgmma_parts(const Plan& plan) {
    const Spec& spec = plan.spec;
    SourceParts parts{"wgmma/prologue.cuh", wgmma_bindings(plan), {}};
    const bool fp8 = plan.v_path == VPath::kFp8;
    parts.slots = {
        {"common.checks", "wgmma/checks.cuh"},
        {"common.input", input_variant(spec.dtype)},
        {"common.output", output_variant(spec.output_dtype)},
        {"common.rows", "common/rows.cuh"},
        {"attention.panels", "wgmma/panels.cuh"},
        {"quantize.groups", groups_variant(spec.granularity)},
        {"quantize.sample", "quantize/sample.cuh"},
        {"quantize.layout", "wgmma/quant_layout.cuh"},
        {"quantize.pairs",
         spec.dtype == DataType::kBf16 ? "wgmma/pairs_bf16.cuh" : "wgmma/pairs_fp16.cuh"},
        {"quantize.shift", spec.smooth_k ? "wgmma/key_mean_sample.cuh" : "wgmma/key_mean_none.cuh"},
        {"quantize.round", "quantize/round.cuh"},
        {"quantize.scale",
         spec.dtype == DataType::kBf16 ? "wgmma/scale_bf16.cuh" : "wgmma/scale_fp16.cuh"},
        {"quantize.place", "quantize/place_panels.cuh"},
        {"quantize.key", "wgmma/quantize_keys.cuh"},
    };
    const auto add = [&parts](std::string_view slot, std::string_view file) {
        parts.slots.push_back({slot, file});
    };
    if (fp8) {
        add("quantize.value_layout", "wgmma/value_layout.cuh");
        add("quantize.value_mean",
            spec.smooth_v ? "wgmma/value_mean_sample.cuh" : "wgmma/value_mean_none.cuh");
        add("quantize.value_factors", "wgmma/value_factors.cuh");
        add("quantize.sample_heads", "wgmma/sample_heads.cuh");
        add("quantize.value", "wgmma/quantize_values.cuh");
        add("quantize.heads", "wgmma/heads_sampled.cuh");
        add("quantize.settle", "wgmma/settle_values.cuh");
        add("quantize.finish", "wgmma/finish_heads.cuh");
    } else {
        add("quantize.value", "wgmma/pack_values.cuh");
    }
    add("quantize.kernel", "wgmma/quantize.cuh");
    add("attention.geometry", "wgmma/geometry.cuh");
    if (!fp8) {
        add("attention.values",
            spec.pv_type == PvType::kBf16 ? "wgmma/values_bf16.cuh" : "wgmma/values_fp16.cuh");
    }
    if (plan.promote_tiles > 0) {
        add("attention.master",
            plan.master_number_bytes == 4 ? "wgmma/master_fp32.cuh" : "wgmma/master_bf16.cuh");
    }
    const std::string_view sums = fp8                ? "wgmma/sums_fp8.cuh"
                                  : plan.sums_by_mma ? "wgmma/sums_mma.cuh"
                                                     : "wgmma/sums_add.cuh";
    const std::vector<Slot> loop = {
        {"attention.causal", mask_variant(spec.causal)},
        {"attention.heads", "wgmma/heads.cuh"},
        {"attention.signals", "wgmma/signals.cuh"},
        {"attention.cluster",
         plan.cluster_q == 1 ? "wgmma/cluster_none.cuh" : "wgmma/cluster_pair.cuh"},
        {"attention.pipeline", "wgmma/pipeline.cuh"},
        {"attention.place", "wgmma/place.cuh"},
        {"attention.place_order", plan.has_low_tiles && spec.causal == CausalMode::kNone
                                      ? "wgmma/place_by_height.cuh"
                                      : "wgmma/place_by_length.cuh"},
        {"attention.tiles", "wgmma/tiles.cuh"},
        {"attention.order", plan.draws_tiles ? "wgmma/order_drawn.cuh" : "wgmma/order_static.cuh"},
        {"attention.query", "wgmma/query.cuh"},
        {"attention.terms", fp8 ? "wgmma/terms_shared.cuh" : "wgmma/terms_none.cuh"},
        {"attention.ahead", "wgmma/ahead.cuh"},
        {"attention.products", "wgmma/products.cuh"},
        {"attention.product", fp8 ? "wgmma/product_fp8.cuh" : "wgmma/product_half.cuh"},
        {"attention.sums", sums},
        {"attention.softmax", "wgmma/softmax.cuh"},
        {"attention.walk_state", "wgmma/walk_state.cuh"},
        {"attention.accumulate",
         plan.promote_tiles > 0 ? "wgmma/accumulate_promoted.cuh" : "wgmma/accumulate.cuh"},
        {"attention.steps", "wgmma/steps.cuh"},
        {"attention.bold", plan.bold_tiles > 0 ? "wgmma/bold_steps.cuh" : "wgmma/bold_none.cuh"},
        {"attention.walk", "wgmma/walk.cuh"},
        {"attention.finish", fp8 ? "wgmma/finish_fp8.cuh" : "wgmma/finish_none.cuh"},
    };
    parts.slots.insert(parts.slots.end(), loop.begin(), loop.end());
    if (!spec.lse) {
        add("attention.lse", "wgmma/lse_none.cuh");
    } else {
        add("attention.shift", spec.smooth_k ? "wgmma/shift_mean.cuh" : "wgmma/shift_none.cuh");
        add("attention.lse", "wgmma/lse.cuh");
    }
    // Values that are not finite reach no product in e4m3.
    if (fp8 || spec.causal == CausalMode::kNone) {
        add("attention.repair", "wgmma/repair_none.cuh");
    } else {
        add("attention.spoiled", spec.output_dtype == DataType::kBf16 ? "wgmma/spoiled_bf16.cuh"
                                 : spec.dtype == DataType::kBf16      ? "wgmma/spoiled_numbers.cuh"
                                                                      : "wgmma/spoiled_fp16.cuh");
        add("attention.repair", "wgmma/repair_causal.cuh");
    }
    add("attention.epilogue", "wgmma/epilogue.cuh");
    add("attention.kernel", "wgmma/kernel.cuh");
    return parts;
}

}  // namespace sagejit
