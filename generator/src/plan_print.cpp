// A plan as text for a person and as JSON for tools; both from one list of fields.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "sagejit/generator/plan.h"

namespace sagejit {
namespace {

using Json = nlohmann::ordered_json;

Json region_json(const SharedRegion& region) {
    return {{"name", region.name},
            {"offset_bytes", region.offset},
            {"bytes", region.bytes},
            {"rows", region.rows},
            {"row_bytes", region.row_bytes},
            {"swizzle_chunks", region.swizzle_chunks},
            {"swizzle_rows", region.swizzle_rows}};
}

Json to_json_object(const Plan& plan) {
    const bool wgmma = plan.target.family == Family::kWgmma;
    Json regions = Json::array();
    for (const SharedRegion& region : plan.stage_regions) regions.push_back(region_json(region));
    Json entries = Json::array();
    if (plan.has_statistics) entries.push_back("statistics");
    if (plan.has_amax) entries.push_back("tile_amax");
    if (plan.samples_first) entries.push_back("sample");
    entries.push_back("quantize");
    entries.push_back("attention");
    Json json = {
        {"target", plan.target.name},
        {"attention",
         {{"tile_q", plan.tile_q},
          {"tile_k", plan.tile_k},
          {"warp_q", plan.warp_q},
          {"warps", plan.warps},
          {"threads", plan.threads},
          {"stages", plan.stages},
          {"ctas_per_sm", plan.ctas_per_sm},
          {"m_tiles", plan.m_tiles},
          {"early_exp_steps", plan.early_exp_steps},
          {"scale_lead", plan.scale_lead},
          {"bold_tiles", plan.bold_tiles},
          {"bold_waits_first", plan.bold_waits_first},
          {"bold_spread_log2", plan.bold_spread},
          {"bold_reference_log2", plan.bold_reference},
          {"query_fragments", plan.query_in_shared ? "shared memory" : "registers"},
          {"register_estimate", plan.register_estimate},
          {"head_dim_padded", plan.head_dim_padded},
          {"head_dim_v_padded", plan.head_dim_v_padded},
          {"rescale_threshold_log2", plan.rescale_threshold},
          {"reference_log2", plan.reference_bits},
          {"grid", wgmma ? "what runs at once, at most one for each query tile"
                         : "batch * heads_q * ceil(len_q / tile_q)"}}},
        {"fragments",
         {{"qk", wgmma ? fmt::format("wgmma.m64n{}k32 s8 x s8 -> s32", plan.tile_k)
                       : "mma.m16n8k32 s8 x s8 -> s32"},
          {"pv", plan.v_path == VPath::kFp8
                     ? fmt::format("wgmma.m64n{}k32 e4m3 x e4m3 -> f32", plan.spec.head_dim_v)
                 : wgmma ? fmt::format("wgmma.m64n{0}k16 {1} x {1} -> f32", plan.output_columns,
                                       plan.spec.pv_type == PvType::kBf16 ? "bf16" : "f16")
                 : plan.v_path == VPath::kInt8          ? "mma.m16n8k32 u8 x s8 -> s32"
                 : plan.spec.pv_accum == PvAccum::kFp32 ? "mma.m16n8k16 f16 x f16 -> f32"
                                                        : "mma.m16n8k16 f16 x f16 -> f16"},
          {"v_path", to_string(plan.v_path)},
          {"promoted_every_keys", plan.promote_tiles * plan.tile_k}}},
        {"shared_memory",
         {{"bytes", plan.shared_bytes},
          {"limit_bytes", plan.target.shared_per_cta},
          {"master_bytes", plan.master_number_bytes * plan.tile_q * plan.spec.head_dim_v},
          {"stage_bytes", plan.stage_bytes},
          {"stage_regions", regions}}},
        {"scales",
         {{"granularity", to_string(plan.spec.granularity)},
          {"q_scale", fmt::format("[batch, heads_q, q_tiles, {}]", plan.q_scales_per_tile)},
          {"k_meta",
           fmt::format("[batch, heads_kv, k_tiles, {} scales + 4]", plan.k_scales_per_tile)},
          {"v_scale", plan.v_path == VPath::kDirect
                          ? "none"
                          : fmt::format("[batch, heads_kv, {}]", plan.head_dim_v_padded)}}},
        {"quantizer",
         {{"threads", plan.quant_threads},
          {"lanes_per_row", plan.quant_lanes},
          {"lanes_per_value_row", plan.quant_lanes_v},
          {"shared_bytes", plan.quant_shared_bytes},
          {"statistics_shared_bytes", plan.statistics_shared_bytes},
          {"value_samples", plan.value_samples},
          {"samples_first", plan.samples_first}}},
        {"entries", entries},
    };
    if (wgmma) json["attention"]["cluster_q"] = plan.cluster_q;
    return json;
}

}  // namespace

std::string plan_json(const Plan& plan, int indent) { return to_json_object(plan).dump(indent); }

std::string plan_text(const Plan& plan) {
    const Json json = to_json_object(plan);
    std::string text;
    for (const auto& [section, value] : json.items()) {
        if (!value.is_object()) {
            text += fmt::format("{:<12}{}\n", section,
                                value.is_string() ? value.get<std::string>() : value.dump());
            continue;
        }
        text += section + '\n';
        for (const auto& [name, field] : value.items()) {
            if (field.is_array()) continue;
            text += fmt::format("  {:<26}{}\n", name,
                                field.is_string() ? field.get<std::string>() : field.dump());
        }
    }
    text += "shared memory of one stage\n";
    for (const SharedRegion& region : plan.stage_regions) {
        text += fmt::format("  {:<6}at {:>6}  {:>6} bytes  {} rows of {} bytes", region.name,
                            region.offset, region.bytes, region.rows, region.row_bytes);
        text += region.swizzle_chunks > 1 ? fmt::format(", chunk ^= (row / {}) % {}\n",
                                                        region.swizzle_rows, region.swizzle_chunks)
                                          : "\n";
    }
    return text;
}

}  // namespace sagejit
