// Plans of the wgmma family (Hopper). Warpgroups of 64 queries walk the same key tiles; one more
// warp issues the copies (docs/explanation/hopper.md).
#include <algorithm>
#include <array>
#include <utility>

#include "plan_families.h"

namespace sagejit {
namespace {

constexpr int kGroupRows = 64;
// Past this the shared memory of an SM is full.
constexpr int kMaxStages = 4;
constexpr int kWarpRows = 16;
constexpr int kWarpsPerGroup = 4;
constexpr int kWarpLanes = 32;
constexpr int kCopyWarps = 4;    // a warpgroup, so that it can give registers away
constexpr int kQkStep = 32;      // channels of one int8 wgmma
constexpr int kValuePanel = 64;  // channels: 128 bytes of 16-bit values, the widest swizzle
constexpr int kValuePanelBytes = 128;
constexpr int kSumColumns = 8;         // the narrowest wgmma
constexpr int kMaxSumChannels = 192;   // past it the sums' columns leave no registers
constexpr int kMasterAlignment = 16;   // of sums that are promoted
constexpr int kStageAlignment = 1024;  // bytes: the period of the 128-byte swizzle
constexpr int kSignalBytes = 16;       // of a stage: two mbarriers
constexpr int kOrderBytes = 24;        // a word, padded, and two mbarriers
constexpr int kLineBytes = 128;
constexpr int kMeanSamples = 64;
constexpr int kQuantThreads = 256;
constexpr int kWideQuantThreads = 512;
constexpr int kQuantMarkWords = 24;
constexpr int kValueUnitWords = 288;       // scratch of a warp that quantizes V
constexpr float kRescaleThreshold = 8.0f;  // as for mma.sync: P in 16 bits reaches 256
// P in e4m3 reaches 2^8.8 < 448, and two bits less where the reference has just moved.
constexpr float kFp8RescaleThreshold = 8.8f;
constexpr float kFp8ReferenceBits = 6.8f;
// Bold steps: five bits below where e4m3 ends, and six below 2, where 16-bit words are asked.
constexpr int kBoldTiles = 6;
constexpr int kNarrowBoldKeys = 128, kNarrowBoldTiles = 24;  // 16-bit P, head_dim up to 64
constexpr float kFp8BoldReference = 3.8f;
constexpr float kFp8BoldSpread = 7.5f;
constexpr float kHalfBoldReference = -5.0f;
constexpr float kHalfBoldSpread = 9.0f;
constexpr int kFp8ProductKeys = 32;
constexpr int kHalfProductKeys = 16;
// Keys that e4m3's accumulator may sum: it truncates, mostly what is in proportion to V's mean.
constexpr int kPromoteKeysSmooth = 2048;
constexpr int kPromoteKeys = 512;
constexpr int kValueSamples = 64;
constexpr size_t kClusteredPlans = 3;

struct Tiling {
    int groups, tile_k, stages;
};

// The widest swizzle whose panels divide a row of `bytes`.
int panel_width(int bytes) {
    for (const int width : {128, 64}) {
        if (bytes % width == 0) return width;
    }
    return 32;
}

SharedRegion plain_region(std::string name, int rows, int row_bytes) {
    SharedRegion region;
    region.name = std::move(name);
    region.rows = rows;
    region.row_bytes = row_bytes;
    region.bytes = rows * row_bytes;
    return region;
}

// Rows of one panel, swizzled as the matrix descriptor of that width says.
SharedRegion panel_region(std::string name, int rows, int panels, int width) {
    SharedRegion region = plain_region(std::move(name), rows * panels, width);
    region.swizzle_chunks = width / 16;
    region.swizzle_rows = 128 / width;
    return region;
}

bool is_fp8(const Spec& spec) { return spec.pv_type == PvType::kFp8; }

// How exponentials lie among the rest of a step: measured (docs/benchmarks/hopper-log.md, v14).
void order_softmax(Plan& plan) {
    const int width = plan.spec.head_dim_v;
    plan.early_exp_steps = !is_fp8(plan.spec) && width > 64 && width <= 128 ? 1 : 0;
    plan.scale_lead = is_fp8(plan.spec) && width > 128 ? 0 : 2;
    plan.early_exp_steps = std::min(plan.early_exp_steps, plan.tile_k / 16 - 1);
}

// Where bold steps are faster, as measured (docs/benchmarks/hopper-log.md, versions 20 and 21).
void add_bold_steps(Plan& plan) {
    const int width = plan.spec.head_dim_v;
    const bool fp8 = is_fp8(plan.spec);
    const bool narrow = !fp8 && width <= 64;
    if (!fp8 && width > 128) return;
    // In clusters of bf16 under a mask there are no registers for it.
    const bool measured = plan.tile_k >= kNarrowBoldKeys && plan.head_dim_padded <= 64;
    if (narrow && (!measured || plan.cluster_q > 1)) return;
    plan.bold_tiles = narrow ? kNarrowBoldTiles : kBoldTiles;
    plan.bold_waits_first = narrow;
    plan.bold_spread = fp8 ? kFp8BoldSpread : kHalfBoldSpread;
    plan.bold_reference = fp8 ? kFp8BoldReference : kHalfBoldReference;
}

// Passes of a quantizer's threads over a tile of keys, whose rows have `lanes` of them.
int quant_passes(int threads, int lanes, int tile_k) {
    const int rows = threads / lanes;
    return (tile_k + rows - 1) / rows;
}

// More where keys are wide, as far as registers allow (docs/benchmarks/hopper-log.md, version 19).
int quant_threads(const Spec& spec, int lanes, int tile_k) {
    const bool wide = lanes > 16 && (is_fp8(spec) || tile_k > 64);
    const int most_passes = is_fp8(spec) ? 4 : 6;
    return wide && quant_passes(kWideQuantThreads, lanes, tile_k) <= most_passes ? kWideQuantThreads
                                                                                 : kQuantThreads;
}

// As many as registers allow: a tile of keys takes four for each pass over its rows.
int quant_ctas_per_sm(const Spec& spec, int threads, int lanes, int tile_k) {
    const int passes = quant_passes(threads, lanes, tile_k);
    if (threads > kQuantThreads || passes > 8 || (passes > 6 && is_fp8(spec))) return 2;
    // The sample of the mean takes as many passes of its own.
    if (passes > 6 || quant_passes(threads, lanes, kMeanSamples) > 6) return 3;
    if (is_fp8(spec)) return spec.head_dim_v <= 128 ? 4 : 3;
    return passes > 4 ? 4 : 5;
}

// V's part of a plan.
void add_values(Plan& plan) {
    const Spec& spec = plan.spec;
    if (!is_fp8(spec)) {
        plan.v_path = VPath::kDirect;
        plan.rescale_threshold = kRescaleThreshold;
        plan.product_keys = kHalfProductKeys;
        plan.value_panel_bytes = kValuePanelBytes;
        plan.value_panels = round_up(spec.head_dim_v, kValuePanel) / kValuePanel;
        plan.value_tile_bytes = plan.value_panels * plan.tile_k * kValuePanelBytes;
        plan.sums_by_mma = spec.head_dim_v % kValuePanel == 0 && spec.head_dim_v <= kMaxSumChannels;
        return;
    }
    plan.v_path = VPath::kFp8;
    plan.rescale_threshold = kFp8RescaleThreshold;
    plan.reference_bits = kFp8ReferenceBits;
    plan.product_keys = kFp8ProductKeys;
    plan.value_panel_bytes = panel_width(plan.tile_k);
    plan.value_panels = plan.tile_k / plan.value_panel_bytes;
    plan.value_tile_bytes = plan.tile_k * spec.head_dim_v;
    plan.sums_by_mma = true;
    plan.value_samples = kValueSamples;
    plan.samples_first = true;
    if (spec.pv_accum == PvAccum::kFp32PromoteFp32) {
        plan.promote_tiles =
            std::max(1, (spec.smooth_v ? kPromoteKeysSmooth : kPromoteKeys) / plan.tile_k);
        // In bf16 a promotion takes more instructions, and wide outputs need the room.
        plan.master_number_bytes = spec.head_dim_v > 128 ? 2 : 4;
    }
}

// The regions of a stage. A tile of keys and its scales arrive as one copy, so the scales follow
// the keys at once.
void add_stage(Plan& plan) {
    std::vector<SharedRegion>& regions = plan.stage_regions;
    regions.push_back(
        panel_region("k", plan.tile_k, plan.head_dim_padded / plan.panel_bytes, plan.panel_bytes));
    regions.push_back(plain_region("meta", 1, 4 * plan.k_meta_words));
    regions.push_back(plain_region("barriers", 1, kSignalBytes));
    if (plan.draws_tiles) regions.push_back(plain_region("order", 1, kOrderBytes));
    const SharedRegion values =
        is_fp8(plan.spec)
            ? panel_region("v", plan.spec.head_dim_v, plan.value_panels, plan.value_panel_bytes)
            : panel_region("v", plan.tile_k, plan.value_panels, kValuePanelBytes);
    // Columns of ones: behind 16-bit values as one more panel, before others in the gap.
    if (is_fp8(plan.spec)) {
        regions.push_back(panel_region("ones", kSumColumns, 1, plan.value_panel_bytes));
        regions.push_back(values);
    } else {
        regions.push_back(values);
        if (plan.sums_by_mma) {
            regions.push_back(panel_region("ones", plan.tile_k, 1, kValuePanelBytes));
        }
    }
    for (SharedRegion& region : regions) {
        if (region.name == "v") plan.stage_bytes = round_up(plan.stage_bytes, kStageAlignment);
        if (region.name == "ones")
            plan.stage_bytes = round_up(plan.stage_bytes, 8 * region.row_bytes);
        region.offset = plan.stage_bytes;
        plan.stage_bytes += region.bytes;
    }
    plan.stage_bytes = round_up(plan.stage_bytes, kStageAlignment);
}

// Whether helpers quantize queries: where each warp of them can do so on its own, reading rows
// whole and two for a scale, and where that is faster than by the warps that compute, as measured
// (docs/benchmarks/hopper-log.md, version 16). Short rows of keys leave helpers too little time.
bool quantizes_ahead(const Plan& plan) {
    const Spec& spec = plan.spec;
    const bool can =
        spec.granularity == Granularity::kThread && spec.head_dim == 8 * plan.quant_lanes;
    return can && spec.head_dim > 128 && spec.causal == CausalMode::kNone && !is_fp8(spec);
}

// Shared memory behind the stages: blocks of query tiles, then the sums that are promoted.
void lay_out_blocks(Plan& plan, int blocks, bool with_terms) {
    const Spec& spec = plan.spec;
    const int query_offset = plan.stages * plan.stage_bytes;
    plan.query_blocks = blocks;
    plan.scratch_offset = query_offset + plan.tile_q * plan.head_dim_padded;
    // Two words per group of query rows; with a mask, two a row for its repair.
    const bool repairs = spec.causal != CausalMode::kNone && !is_fp8(spec);
    const int scratch_words = 2 * plan.q_scales_per_tile + (repairs ? 2 * plan.tile_q : 0);
    int end = plan.scratch_offset + 4 * scratch_words;
    plan.block_signal_offset = plan.value_terms_offset = plan.bold_offset = 0;
    if (plan.bold_tiles > 0) {
        plan.bold_offset = round_up(end, 16);
        end = plan.bold_offset + 4 * plan.warps;
    }
    if (blocks > 1 || with_terms) {
        plan.block_signal_offset = round_up(end, 16);
        end = plan.block_signal_offset + kSignalBytes + 4 * plan.warps;
    }
    if (with_terms) {
        plan.value_terms_offset = round_up(end, 16);
        end = plan.value_terms_offset + 8 * spec.head_dim_v + 4;
    }
    plan.query_block_bytes =
        round_up(end, blocks > 1 ? kStageAlignment : kMasterAlignment) - query_offset;
    plan.master_offset = query_offset + blocks * plan.query_block_bytes;
    const int master_bytes = plan.master_number_bytes * plan.tile_q * spec.head_dim_v;
    plan.master_reference_offset = plan.master_offset + master_bytes;
    plan.shared_bytes = plan.master_reference_offset + (master_bytes > 0 ? 4 * plan.tile_q : 0);
}

// Queries are prepared ahead where there is room for it, and what finishes FP8's outputs always.
void add_blocks(Plan& plan) {
    const bool fp8 = is_fp8(plan.spec);
    if (quantizes_ahead(plan)) {
        lay_out_blocks(plan, 2, fp8);
        if (plan.shared_bytes <= plan.target.shared_per_cta) return;
    }
    lay_out_blocks(plan, 1, fp8);
}

Plan build(const Spec& spec, const Target& target, const Tiling& shape) {
    Plan plan;
    plan.spec = spec;
    plan.spec.tile_q = shape.groups * kGroupRows;
    plan.spec.tile_k = shape.tile_k;
    plan.spec.stages = shape.stages;
    plan.spec.cluster_q = spec.cluster_q.value_or(1);
    plan.spec.target = std::string(target.name);
    plan.target = target;
    plan.tile_q = *plan.spec.tile_q;
    plan.tile_k = shape.tile_k;
    plan.warp_q = kWarpRows;
    plan.groups = shape.groups;
    plan.cluster_q = *plan.spec.cluster_q;
    plan.warps = shape.groups * kWarpsPerGroup;
    plan.threads = (plan.warps + kCopyWarps) * kWarpLanes;
    plan.stages = shape.stages;
    plan.m_tiles = 1;
    plan.ctas_per_sm = 1;
    plan.head_dim_padded = round_up(spec.head_dim, kQkStep);
    plan.head_dim_v_padded = spec.head_dim_v;
    order_softmax(plan);
    plan.score_bias_folded = true;
    plan.query_in_shared = true;
    plan.query_in_prologue = true;
    plan.quant_lanes = power_of_two_at_least(plan.head_dim_padded / 8);
    // CTAs of a cluster take tiles together, and what is drawn is known too late for helpers.
    plan.draws_tiles = plan.cluster_q == 1 && !quantizes_ahead(plan);
    plan.has_low_tiles = plan.cluster_q == 1;

    plan.panel_bytes = panel_width(plan.head_dim_padded);
    add_values(plan);
    add_bold_steps(plan);
    plan.output_columns = spec.head_dim_v + (plan.sums_by_mma ? kSumColumns : 0);
    plan.mean_samples = spec.smooth_k ? kMeanSamples : 0;

    plan.q_scales_per_tile = 8 * plan.warps;
    plan.k_scales_per_tile = 4;
    plan.k_meta_words = 8;
    // Whole cache lines, so that no copy of a line takes two requests.
    plan.k_tile_bytes =
        round_up(plan.tile_k * plan.head_dim_padded + 4 * plan.k_meta_words, kLineBytes);
    plan.k_meta_bytes = plan.k_tile_bytes;

    add_stage(plan);

    // S, P, O; then addresses, row state, descriptors.
    constexpr int kOverhead = 28;
    plan.register_estimate =
        plan.tile_k / 2 + 4 * plan.tile_k / plan.product_keys + plan.output_columns / 2 + kOverhead;

    plan.quant_threads = quant_threads(spec, plan.quant_lanes, plan.tile_k);
    plan.quant_ctas_per_sm =
        quant_ctas_per_sm(spec, plan.quant_threads, plan.quant_lanes, plan.tile_k);
    add_blocks(plan);
    plan.quant_lanes_v = power_of_two_at_least(round_up(spec.head_dim_v, kValuePanel) / 8);
    // templates/wgmma/quant_layout.cuh: means and factors, marks, then scratch of the warps, for
    // sums of samples or a unit of V.
    const int warps = plan.quant_threads / kWarpLanes;
    int scratch = plan.head_dim_padded;
    if (is_fp8(spec)) scratch = std::max({scratch, 2 * spec.head_dim_v, kValueUnitWords});
    plan.quant_shared_bytes = round_up(
        4 * (plan.head_dim_padded + 3 * spec.head_dim_v + kQuantMarkWords + warps * scratch),
        kLineBytes);
    return plan;
}

int registers_of(const Plan& plan) {
    // The copying warpgroup gives what it does not need to the others.
    const bool helps = plan.query_blocks == 2 || plan.value_terms_offset > 0;
    return plan.groups == 4 ? 112 : plan.groups == 3 ? 160 : helps ? 232 : 240;
}

bool fits(const Plan& plan) {
    return plan.shared_bytes <= plan.target.shared_per_cta &&
           plan.register_estimate <= registers_of(plan);
}

// After the study of schedules (docs/explanation/hopper.md); with promotion, sums in shared memory
// leave less room.
std::vector<Tiling> fp8_shapes(const Spec& spec, int widest) {
    if (widest <= 64) return {{3, 128, 4}, {3, 96, 4}, {4, 64, 4}, {2, 128, 4}};
    if (widest <= 128) return {{3, 96, 4}, {3, 96, 3}, {3, 64, 4}, {2, 128, 3}, {2, 128, 2}};
    if (widest <= 192) return {{2, 128, 2}, {2, 96, 3}, {2, 96, 2}, {2, 64, 3}};
    if (spec.pv_accum == PvAccum::kFp32) return {{2, 128, 2}, {2, 96, 2}, {2, 64, 2}};
    return {{2, 64, 3}, {2, 96, 2}, {2, 64, 2}, {2, 32, 3}};
}

// Measured on an H200, best first (docs/benchmarks/hopper-log.md).
std::vector<Tiling> shapes_for(const Spec& spec) {
    const int widest = std::max(round_up(spec.head_dim, kQkStep), spec.head_dim_v);
    std::vector<Tiling> shapes;
    if (is_fp8(spec)) return fp8_shapes(spec, widest);
    if (widest <= 64)
        shapes = {{3, 128, 4}, {3, 112, 4}, {3, 96, 4}, {4, 64, 4}, {2, 176, 3}};
    else if (widest <= 96)
        shapes = {{3, 96, 4}, {3, 112, 3}, {3, 80, 4}, {2, 160, 2}};
    else if (widest <= 128)
        shapes = {{3, 80, 4}, {3, 64, 4}, {2, 128, 3}, {2, 144, 2}, {2, 96, 4}};
    else if (widest <= 192)
        shapes = {{2, 112, 2}, {2, 96, 2}, {2, 80, 3}, {2, 64, 3}};
    else
        shapes = {{2, 64, 2}, {2, 80, 2}, {2, 96, 2}, {2, 48, 2}};
    return shapes;
}

std::vector<Plan> enumerate(const Spec& spec, const Target& target) {
    std::vector<Tiling> shapes = shapes_for(spec);
    // Then whatever is asked for, and what is left.
    const std::vector<int> groups =
        spec.tile_q ? std::vector{*spec.tile_q / kGroupRows} : std::vector{3, 2};
    const std::vector<int> tiles =
        spec.tile_k ? std::vector{*spec.tile_k} : std::vector{128, 112, 96, 80, 64, 48, 32};
    for (const int group_count : groups) {
        for (const int tile_k : tiles) {
            for (const int stages : {4, 3, 2}) shapes.push_back({group_count, tile_k, stages});
        }
    }
    std::vector<Plan> plans;
    for (const Tiling& shape : shapes) {
        if (spec.tile_q && *spec.tile_q != shape.groups * kGroupRows) continue;
        if (spec.tile_k && *spec.tile_k != shape.tile_k) continue;
        if (is_fp8(spec) && shape.tile_k % kFp8ProductKeys != 0) continue;
        if (spec.stages && *spec.stages != shape.stages) continue;
        Plan plan = build(spec, target, shape);
        const bool known = std::any_of(plans.begin(), plans.end(),
                                       [&](const Plan& other) { return other.spec == plan.spec; });
        if (!known) plans.push_back(std::move(plan));
    }
    return plans;
}

// Behind each of the first few plans the same in clusters of two.
void add_clusters(Spec spec, std::vector<Plan>& plans) {
    spec.cluster_q = 2;
    const size_t count = std::min<size_t>(plans.size(), kClusteredPlans);
    for (size_t i = 0; i < count; ++i) {
        const Plan& alone = plans[2 * i];
        const Tiling shape = {alone.groups, alone.tile_k, alone.stages};
        plans.insert(plans.begin() + 2 * i + 1, build(spec, alone.target, shape));
    }
}

struct Refusal {
    std::string message, where, fix;
};

// What no tile can change.
std::vector<Refusal> refusals(const Spec& spec) {
    std::vector<Refusal> found;
    const std::string elsewhere = "use target sm_90, which has it";
    if (spec.granularity == Granularity::kToken || spec.granularity == Granularity::kTensor) {
        found.push_back({"granularity " + std::string(to_string(spec.granularity)) +
                             " is not for target sm_90a, which takes thread, warp or block",
                         "/qk/granularity", elsewhere});
    }
    if (is_fp8(spec)) {
        if (spec.tile_k && *spec.tile_k % kFp8ProductKeys != 0) {
            found.push_back({"P*V in fp8_e4m3 takes 32 keys at a time, not tile_k " +
                                 std::to_string(*spec.tile_k),
                             "/tile/tile_k",
                             "nearest legal value: " + std::to_string(*spec.tile_k - 16)});
        }
    } else if (spec.pv_type == PvType::kInt8 || spec.pv_accum != PvAccum::kFp32) {
        found.push_back(
            {"P*V in " + std::string(to_string(spec.pv_type)) + " accumulated in " +
                 std::string(to_string(spec.pv_accum)) +
                 " is not for target sm_90a, which takes fp16 or bf16 in fp32, or fp8_e4m3",
             "/pv", elsewhere});
    } else if ((spec.pv_type == PvType::kBf16) != (spec.dtype == DataType::kBf16)) {
        found.push_back({"target sm_90a takes V as it is: P*V in bf16 for bf16 inputs", "/pv/type",
                         "use \"bf16\", or target sm_90"});
    }
    if (spec.warp_q && *spec.warp_q != kWarpRows) {
        found.push_back(
            {"a warp of target sm_90a takes 16 query tokens, not " + std::to_string(*spec.warp_q),
             "/tile/warp_q", "nearest legal value: 16"});
    }
    if (spec.stages && *spec.stages > kMaxStages) {
        found.push_back(
            {"target sm_90a keeps 2 to 4 stages in flight, not " + std::to_string(*spec.stages),
             "/tile/stages", "nearest legal value: " + std::to_string(kMaxStages)});
    }
    // A single group starts with more registers than setmaxnreg would raise it to.
    if (spec.tile_q && *spec.tile_q < 2 * kGroupRows) {
        found.push_back(
            {"target sm_90a takes tile_q 128, 192 or 256, not " + std::to_string(*spec.tile_q),
             "/tile/tile_q", "nearest legal value: 128"});
    }
    return found;
}

}  // namespace

std::vector<Plan> wgmma_candidates(const Spec& spec, const Target& target) {
    if (!refusals(spec).empty()) return {};
    std::vector<Plan> plans = enumerate(spec, target);
    std::erase_if(plans, [](const Plan& plan) { return !fits(plan); });
    // Under a mask the tiles of a cluster differ in length.
    if (!spec.cluster_q && spec.causal == CausalMode::kNone) add_clusters(spec, plans);
    return plans;
}

void refuse_wgmma(const Spec& spec, const Target& target) {
    const std::vector<Refusal> found = refusals(spec);
    if (!found.empty()) {
        const Refusal& first = found.front();
        throw Error(ErrorCode::kUnsupportedTarget, first.message, first.where, first.fix);
    }
    Spec free_tile = spec;
    free_tile.tile_q = free_tile.tile_k = free_tile.stages = std::nullopt;
    const Plan nearest = make_plan(free_tile, target);
    const Plan wanted = enumerate(spec, target).front();
    throw Error(ErrorCode::kUnsupportedTarget,
                "tile_q " + std::to_string(wanted.tile_q) + " with tile_k " +
                    std::to_string(wanted.tile_k) + " and " + std::to_string(wanted.stages) +
                    " stages needs about " + std::to_string(wanted.register_estimate) + " of " +
                    std::to_string(registers_of(wanted)) + " registers a thread and " +
                    std::to_string(wanted.shared_bytes) + " of " +
                    std::to_string(target.shared_per_cta) + " bytes of shared memory",
                "/tile",
                "this spec's default is tile_q " + std::to_string(nearest.tile_q) + ", tile_k " +
                    std::to_string(nearest.tile_k) + ", stages " + std::to_string(nearest.stages));
}

}  // namespace sagejit
