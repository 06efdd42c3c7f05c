#include "sagejit/generator/source.h"

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "instructions.h"
#include "render.h"
#include "sagejit/generator/error.h"
#include "templates.h"

namespace sagejit {
namespace {

// One place in a source and the file chosen for it.
struct Slot {
    std::string_view slot;
    std::string_view file;
};

std::string_view mask_variant(CausalMode mode) {
    switch (mode) {
        case CausalMode::kNone:
            return "attention/mask_none.cuh";
        case CausalMode::kTopLeft:
            return "attention/mask_top_left.cuh";
        case CausalMode::kBottomRight:
            return "attention/mask_bottom_right.cuh";
    }
    throw Error(ErrorCode::kInternal, "unknown causal mode", "source");
}

std::string_view load_v_variant(VPath path) {
    switch (path) {
        case VPath::kDirect:
            return "attention/load_v_direct.cuh";
        case VPath::kScaledFp16:
            return "attention/load_v_scaled.cuh";
        case VPath::kInt8:
            return "attention/load_v_int8.cuh";
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
    }
    throw Error(ErrorCode::kInternal, "unknown accumulation", "source");
}

std::string_view groups_variant(Granularity granularity) {
    switch (granularity) {
        case Granularity::kTensor:
        case Granularity::kBlock:
            return "quantize/groups_one.cuh";
        case Granularity::kToken:
            return "quantize/groups_token.cuh";
        case Granularity::kWarp:
            return "quantize/groups_warp.cuh";
        case Granularity::kThread:
            return "quantize/groups_thread.cuh";
    }
    throw Error(ErrorCode::kInternal, "unknown granularity", "source");
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
        {"quantize.rows", "quantize/rows.cuh"},
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
        {"attention.query", "attention/query.cuh"},
        {"attention.load_query",
         plan.query_in_shared ? "attention/query_shared.cuh" : "attention/query_registers.cuh"},
        {"attention.load_k", "attention/load_k.cuh"},
        {"attention.load_v", load_v_variant(plan.v_path)},
        {"attention.qk", "attention/qk_int8.cuh"},
        {"attention.bias",
         plan.score_bias_folded ? "attention/bias_folded.cuh" : "attention/bias_exact.cuh"},
        {"attention.dequantize",
         plan.scale_per_token ? "attention/dequantize_token.cuh" : "attention/dequantize_lane.cuh"},
        {"attention.causal", mask_variant(spec.causal)},
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
    slots.push_back({"attention.kernel", "attention/kernel.cuh"});
    return slots;
}

std::string slot_text(const Slot& slot) {
    return fmt::format("\n// slot {}: templates/{}\n{}", slot.slot, slot.file,
                       template_text(slot.file));
}

const SharedRegion& region(const Plan& plan, std::string_view name) {
    for (const SharedRegion& candidate : plan.stage_regions) {
        if (candidate.name == name) return candidate;
    }
    throw Error(ErrorCode::kInternal, "no shared region " + std::string(name), "source");
}

Bindings plan_bindings(const Plan& plan) {
    const SharedRegion& k = region(plan, "k");
    const SharedRegion& v = region(plan, "v");
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
        {"meta_offset", number(region(plan, "meta").offset)},
        {"query_offset", number(plan.stages * plan.stage_bytes)},
        {"query_bytes", number(plan.shared_bytes - plan.stages * plan.stage_bytes)},
        {"shared_bytes", number(plan.shared_bytes)},
        {"q_scales_per_tile", number(plan.q_scales_per_tile)},
        {"k_scales_per_tile", number(plan.k_scales_per_tile)},
        {"k_meta_words", number(plan.k_meta_words)},
        {"quant_threads", number(plan.quant_threads)},
        {"quant_lanes", number(plan.quant_lanes)},
        {"quant_lanes_v", number(plan.quant_lanes_v)},
    };
}

// Every line of a text as a comment.
std::string commented(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        const size_t end = text.find('\n');
        result += "//   ";
        result += text.substr(0, end);
        result += '\n';
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return result;
}

std::string content_hash(std::string_view text) {
    const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string provenance(const Plan& plan, const std::string& hash) {
    Spec asked = plan.spec;
    asked.name.clear();
    return fmt::format(
        "// Generated by sagejit {}. Content hash {}.\n"
        "// Reproduce: save the config below as config.json, then\n"
        "//   sagejit emit --config config.json --target {} -o kernel.cu\n"
        "// Config:\n{}// Plan:\n{}",
        generator_version(), hash, plan.target.name, commented(to_json(asked)),
        commented(plan_json(plan)));
}

}  // namespace

std::string_view generator_version() { return SAGEJIT_VERSION; }

std::string_view generator_id() {
    static const std::string id = fmt::format("{}-{}", SAGEJIT_VERSION, deciding_sources_hash());
    return id;
}

Source emit(const Plan& plan) {
    std::vector<Slot> slots = {
        {"common.checks", "common/checks.cuh"},
        {"common.swizzle", "common/swizzle.cuh"},
        {"common.input",
         plan.spec.dtype == DataType::kFp16 ? "common/input_fp16.cuh" : "common/input_bf16.cuh"},
        {"common.output", plan.spec.output_dtype == DataType::kFp16 ? "common/output_fp16.cuh"
                                                                    : "common/output_bf16.cuh"},
        {"common.rows", "common/rows.cuh"},
    };
    for (const std::vector<Slot>& part :
         {statistics_slots(plan), quantize_slots(plan), attention_slots(plan)}) {
        slots.insert(slots.end(), part.begin(), part.end());
    }

    std::string head = "\n// slot plan: templates/common/prologue.cuh\n";
    head += render(template_text("common/prologue.cuh"), plan_bindings(plan));
    const std::string types = slot_text({"types", "common/types.cuh"});
    const std::string call = slot_text({"call", "common/call.cuh"});
    std::string body;
    for (const Slot& slot : slots) body += slot_text(slot);

    Source source;
    const std::string device = head + types + call + "\n// instruction wrappers\n" +
                               used_instructions(body, Column::kDevice) + body;
    source.hash = content_hash(device);
    source.text = provenance(plan, source.hash) + device;
    source.host_text =
        std::string(template_text("host/qualifiers.cuh")) + head + types + call +
        slot_text({"host.api", "host/api.cuh"}) + slot_text({"host.prelude", "host/prelude.cuh"}) +
        "\n// instruction wrappers\n" + used_instructions(body, Column::kHost) + body;
    if (plan.has_statistics) source.entries.emplace_back("statistics");
    if (plan.has_amax) source.entries.emplace_back("tile_amax");
    source.entries.emplace_back("quantize");
    source.entries.emplace_back("attention");
    return source;
}

}  // namespace sagejit
