// Plans of the mma.sync family: warps of m16n8k32 and m16n8k16, fed by cp.async.
#include <algorithm>
#include <array>
#include <numeric>

#include "plan_families.h"
#include "sagejit/generator/error.h"

namespace sagejit {
namespace {

constexpr int kWarpLanes = 32;
constexpr int kSchedulers = 4;  // of an SM
constexpr int kQuantThreads = 256;
constexpr int kRowsPerQuantThreads = 128;  // past this a thread's rows leave it no registers
constexpr int kChannelsPerLane = 8;        // 16 bytes of fp16 or bf16
constexpr int kQkStep = 32;                // channels of one int8 MMA
constexpr int kValueStep = 16;             // channels one ldmatrix.x4.trans serves
constexpr int kMaxWarps = 8;
constexpr int kRegionAlignment = 128;  // bytes
constexpr int kBarrierBytes = 16;      // one mbarrier, padded
constexpr int kBanksChunks = 8;        // 16-byte chunks in one pass over the 32 banks
// Registers beyond fragments and accumulators: addresses, row state, copies. With 48, ptxas of
// CUDA 13.0 spilled a few bytes where the estimate met the limit; with 64 it does not.
constexpr int kRegisterOverhead = 64;
// And what is left beside the estimate where more CTAs than one bound a thread's registers: ptxas
// of CUDA 13.0 spilled 8 to 24 bytes where the bound was the estimate.
constexpr int kRegistersToSpare = 16;
// Past either of these Q moves to shared memory: ptxas of CUDA 13.0 spilled otherwise.
constexpr int kRegistersWithQuery = 212;
constexpr int kHeadDimWithQuery = 160;
// Past these outputs leave registers for short tiles only, and then for no more than two stages.
constexpr int kWideOutput = 144, kWidestOutput = 192;
constexpr int kRegistersWithWidestOutput = 216;
// Past these warps of 32 queries spilled, without and with a causal mask.
constexpr int kRegistersOfWideWarps = 224, kRegistersWithMask = 200;
// A row may outgrow its reference by 2^8 before it is rescaled: fp16 P then reaches 256, far from
// 65504, and fp32 sums do not mind. Accumulators in fp16 and P in 8 bits need p <= 1.
constexpr float kRescaleThreshold = 8.0f;

SharedRegion swizzled_region(std::string name, int rows, int row_bytes) {
    SharedRegion region;
    region.name = std::move(name);
    region.rows = rows;
    region.row_bytes = row_bytes;
    region.bytes = rows * row_bytes;
    // Rows a whole number of chunks apart repeat their banks after 8 / swizzle_chunks rows.
    region.swizzle_chunks = std::gcd(row_bytes / 16, kBanksChunks);
    region.swizzle_rows = kBanksChunks / region.swizzle_chunks;
    return region;
}

VPath value_path(const Spec& spec) {
    if (spec.pv_type == PvType::kInt8) return VPath::kInt8;
    return spec.dtype == DataType::kFp16 ? VPath::kDirect : VPath::kScaledFp16;
}

bool p_at_most_one(const Spec& spec) {
    return spec.pv_type == PvType::kInt8 || spec.pv_accum != PvAccum::kFp32;
}

// Everything that follows from the spec and the four tile choices.
Plan build(const Spec& spec, const Target& target, int tile_q, int tile_k, int warp_q, int stages) {
    Plan plan;
    plan.spec = spec;
    plan.spec.tile_q = tile_q;
    plan.spec.tile_k = tile_k;
    plan.spec.warp_q = warp_q;
    plan.spec.stages = stages;
    plan.spec.target = std::string(target.name);
    plan.target = target;
    plan.tile_q = tile_q;
    plan.tile_k = tile_k;
    plan.warp_q = warp_q;
    plan.warps = tile_q / warp_q;
    plan.threads = plan.warps * kWarpLanes;
    plan.stages = stages;
    plan.m_tiles = warp_q / 16;
    plan.head_dim_padded = round_up(spec.head_dim, kQkStep);
    plan.head_dim_v_padded = round_up(spec.head_dim_v, kValueStep);
    plan.v_path = value_path(spec);
    plan.rescale_threshold = p_at_most_one(spec) ? 0.0f : kRescaleThreshold;

    plan.scale_per_token = spec.granularity == Granularity::kToken;
    plan.score_bias_folded = !plan.scale_per_token && spec.pv_type != PvType::kInt8;
    plan.q_scales_per_tile = plan.scale_per_token ? tile_q : 8 * plan.warps;
    plan.k_scales_per_tile = plan.scale_per_token ? tile_k : 4;
    plan.k_meta_words = plan.k_scales_per_tile + 4;
    plan.k_tile_bytes = tile_k * plan.head_dim_padded;
    plan.k_meta_bytes = 4 * plan.k_meta_words;

    plan.stage_regions.push_back(swizzled_region("k", tile_k, plan.head_dim_padded));
    plan.stage_regions.push_back(plan.v_path == VPath::kInt8
                                     ? swizzled_region("v", plan.head_dim_v_padded, tile_k)
                                     : swizzled_region("v", tile_k, 2 * plan.head_dim_v_padded));
    SharedRegion meta;
    meta.name = "meta";
    meta.rows = 1;
    meta.row_bytes = meta.bytes = 4 * plan.k_meta_words;
    plan.stage_regions.push_back(meta);
    for (SharedRegion& region : plan.stage_regions) {
        region.offset = plan.stage_bytes;
        plan.stage_bytes += round_up(region.bytes, kRegionAlignment);
    }
    const int key_tiles = tile_k / 8;
    const int value_tiles = plan.head_dim_v_padded / 8;
    const int output_registers = spec.pv_accum == PvAccum::kFp16 ? 2 : 4;
    const int query_registers = plan.m_tiles * plan.head_dim_padded / kQkStep * 4;
    plan.register_estimate =
        plan.m_tiles * (output_registers * value_tiles + 4 * key_tiles) + kRegisterOverhead;
    // Sums that restart with every key tile stand beside a whole tile of packed probabilities.
    if (spec.pv_accum == PvAccum::kFp32PromoteFp16 || spec.pv_type == PvType::kInt8) {
        plan.register_estimate += plan.m_tiles * (2 * key_tiles + 8);
    }
    plan.query_in_shared = plan.head_dim_padded > kHeadDimWithQuery ||
                           plan.register_estimate + query_registers > kRegistersWithQuery;
    if (!plan.query_in_shared) plan.register_estimate += query_registers;
    plan.barrier_offset =
        stages * plan.stage_bytes + (plan.query_in_shared ? tile_q * plan.head_dim_padded : 0);
    plan.shared_bytes = plan.barrier_offset + kBarrierBytes;
    const int by_shared = target.shared_per_sm / (plan.shared_bytes + target.shared_reserved);
    // Each scheduler has its share of the registers, and whole warps.
    const int warps_a_scheduler =
        target.registers_per_sm / kSchedulers /
        (kWarpLanes * round_up(plan.register_estimate + kRegistersToSpare, 8));
    const int by_registers = kSchedulers * warps_a_scheduler / plan.warps;
    const int by_threads = target.threads_per_sm / plan.threads;
    plan.ctas_per_sm = std::max(1, std::min({by_shared, by_registers, by_threads}));

    plan.quant_threads = tile_q > kRowsPerQuantThreads ? 2 * kQuantThreads : kQuantThreads;
    plan.quant_lanes = power_of_two_at_least(plan.head_dim_padded / kChannelsPerLane);
    plan.quant_lanes_v = power_of_two_at_least(plan.head_dim_v_padded / kChannelsPerLane);
    plan.has_statistics = spec.smooth_k || plan.v_path != VPath::kDirect;
    plan.has_amax = spec.granularity == Granularity::kTensor;
    const int groups = std::max(tile_q, tile_k) + 1;
    const int row_bytes = 4 * (plan.head_dim_padded + groups);
    const int value_bytes = plan.v_path == VPath::kInt8 ? plan.head_dim_v_padded * (4 + tile_k + 16)
                                                        : 4 * plan.head_dim_v_padded;
    plan.quant_shared_bytes = round_up(std::max(row_bytes, value_bytes), kRegionAlignment);
    plan.statistics_shared_bytes =
        std::max(4 * plan.quant_threads / plan.quant_lanes * plan.head_dim_padded,
                 8 * plan.head_dim_v_padded);
    return plan;
}

bool fits(const Plan& plan) { return plan.shared_bytes <= plan.target.shared_per_cta; }

// Registers a thread may have before the compiler must spill.
bool fits_registers(const Plan& plan) {
    const int per_thread =
        std::min(plan.target.registers_per_thread, plan.target.registers_per_sm / plan.threads);
    return plan.register_estimate <= per_thread;
}

// Whether the compiler fits the kernel into registers without spilling: ptxas of CUDA 13.0 needs
// more room than the estimate where outputs are wide.
bool comfortable(const Plan& plan) {
    if (plan.head_dim_v_padded <= kWideOutput) return true;
    if (plan.head_dim_v_padded <= kWidestOutput) return plan.tile_k == 32;
    return plan.stages == 2 && plan.register_estimate <= kRegistersWithWidestOutput;
}

// Warps of 32 queries for which the compiler finds no registers.
bool spills(const Plan& plan) {
    const bool masked = plan.spec.causal != CausalMode::kNone;
    return plan.m_tiles > 1 &&
           plan.register_estimate > (masked ? kRegistersWithMask : kRegistersOfWideWarps);
}

// Warps of 32 queries beside outputs, guards and scales that leave them no registers.
bool crowded(const Plan& plan) {
    const Spec& spec = plan.spec;
    const bool wide = std::max(spec.head_dim, spec.head_dim_v) > 64;
    return plan.m_tiles > 1 && wide &&
           (plan.target.arch >= 100 || spec.causal != CausalMode::kNone ||
            plan.v_path == VPath::kScaledFp16);
}

// The fastest on an H200 (docs/benchmarks/mma-log.md): 256 queries share what is copied, 32 of them
// each fragment that is read, and short tiles leave registers for both. Up to 64 channels, and
// without a mask, long tiles are faster there; elsewhere they spill or nobody has measured them.
bool preferred(const Plan& plan) {
    if (!comfortable(plan) || crowded(plan) || plan.stages < 4) return false;
    const Spec& spec = plan.spec;
    const bool narrow = std::max(spec.head_dim, spec.head_dim_v) <= 64;
    if (narrow && spec.causal == CausalMode::kNone && plan.v_path == VPath::kDirect &&
        plan.target.arch == 90) {
        return plan.tile_q == 128 && plan.tile_k == 128 && plan.warp_q == 16;
    }
    return plan.tile_q == 256 && plan.tile_k == 32;
}

constexpr std::array kTileQ = {128, 64, 32, 256};
constexpr std::array kTileK = {64, 32, 128, 96};
constexpr std::array kStages = {4, 3, 2, 5, 6};

// Warps of 32 queries read each key fragment half as often; past 64 channels their accumulators
// leave no registers.
int default_warp_q(const Spec& spec, int tile_q) {
    if (spec.warp_q) return *spec.warp_q;
    if (tile_q > 16 * kMaxWarps) return 32;
    const int widest = std::max(spec.head_dim, spec.head_dim_v);
    return widest <= 64 && tile_q >= 64 ? 32 : 16;
}

[[noreturn]] void refuse_shared(const Plan& plan, const Plan& smallest) {
    std::string fix = "the smallest legal choice for this spec is tile_k " +
                      std::to_string(smallest.tile_k) + ", stages " +
                      std::to_string(smallest.stages);
    throw Error(ErrorCode::kUnsupportedTarget,
                "shared memory: tile_k " + std::to_string(plan.tile_k) + " with " +
                    std::to_string(plan.stages) + " stages needs " +
                    std::to_string(plan.shared_bytes) + " bytes, " + std::string(plan.target.name) +
                    " has " + std::to_string(plan.target.shared_per_cta),
                "/tile",
                fits(smallest) ? fix : "no tile of this head_dim fits; use sm_80 or sm_90");
}

[[noreturn]] void refuse_registers(const Spec& spec, const Plan& plan) {
    Spec shorter = spec;
    shorter.tile_q = 16 * kMaxWarps;
    if (plan.tile_q > *shorter.tile_q && !mma_candidates(shorter, plan.target).empty()) {
        throw Error(ErrorCode::kUnsupportedTarget,
                    "registers: tile_q " + std::to_string(plan.tile_q) + " takes warps of " +
                        std::to_string(plan.warp_q) + " queries, for which head_dim " +
                        std::to_string(spec.head_dim) + " leaves too few",
                    "/tile/tile_q", "nearest legal value: " + std::to_string(*shorter.tile_q));
    }
    throw Error(ErrorCode::kUnsupportedTarget,
                "registers: warp_q " + std::to_string(plan.warp_q) + " with tile_k " +
                    std::to_string(plan.tile_k) + " needs about " +
                    std::to_string(plan.register_estimate) + " registers a thread, " +
                    std::to_string(plan.target.registers_per_thread) + " exist",
                "/tile/warp_q", "nearest legal value: 16, or a smaller tile_k");
}

// Candidates in order of preference, including those that do not fit.
std::vector<Plan> enumerate(const Spec& spec, const Target& target) {
    std::vector<Plan> plans;
    for (const int tile_q : kTileQ) {
        if (spec.tile_q && *spec.tile_q != tile_q) continue;
        for (const int warp_q : {default_warp_q(spec, tile_q), 16, 32}) {
            if (spec.warp_q && *spec.warp_q != warp_q) continue;
            if (tile_q % warp_q != 0 || tile_q / warp_q > kMaxWarps) continue;
            for (const int tile_k : kTileK) {
                if (spec.tile_k && *spec.tile_k != tile_k) continue;
                for (const int stages : kStages) {
                    if (spec.stages && *spec.stages != stages) continue;
                    Plan plan = build(spec, target, tile_q, tile_k, warp_q, stages);
                    const bool known =
                        std::any_of(plans.begin(), plans.end(),
                                    [&](const Plan& other) { return other.spec == plan.spec; });
                    if (!known) plans.push_back(std::move(plan));
                }
            }
        }
    }
    return plans;
}

}  // namespace

std::vector<Plan> mma_candidates(const Spec& spec, const Target& target) {
    if (spec.pv_type == PvType::kBf16 || spec.pv_type == PvType::kFp8) return {};
    if (spec.cluster_q.value_or(1) != 1) return {};
    std::vector<Plan> plans = enumerate(spec, target);
    // What spills is for those who ask for it.
    std::erase_if(plans, [&](const Plan& plan) {
        return !fits(plan) || !fits_registers(plan) || (!spec.warp_q && spills(plan));
    });
    std::stable_partition(plans.begin(), plans.end(),
                          [](const Plan& plan) { return comfortable(plan) && !crowded(plan); });
    std::stable_partition(plans.begin(), plans.end(), preferred);
    return plans;
}

void refuse_mma(const Spec& spec, const Target& target) {
    if (spec.pv_type == PvType::kBf16) {
        throw Error(ErrorCode::kUnsupportedTarget,
                    "P*V in bf16 exists for sm_90a only, not for " + std::string(target.name),
                    "/pv/type", "use \"fp16\", which takes bf16 values too");
    }
    if (spec.pv_type == PvType::kFp8) {
        throw Error(ErrorCode::kUnsupportedTarget,
                    "P*V in fp8_e4m3 exists for sm_90a only, not for " + std::string(target.name),
                    "/pv/type", "use \"int8\", or target sm_90a");
    }
    if (spec.cluster_q.value_or(1) != 1) {
        throw Error(ErrorCode::kUnsupportedTarget,
                    "clusters exist for sm_90a only, not for " + std::string(target.name),
                    "/tile/cluster_q", "nearest legal value: 1");
    }
    const std::vector<Plan> plans = enumerate(spec, target);
    if (plans.empty()) {
        throw Error(ErrorCode::kUnsupportedTarget,
                    "this tile is for target sm_90a; " + std::string(target.name) +
                        " takes tile_q 32, 64, 128 or 256 and tile_k 32, 64, 96 or 128",
                    "/tile", "leave the tile out, or use the nearest of those");
    }
    const Plan& wanted = plans.front();
    if (!fits_registers(wanted) || spills(wanted)) refuse_registers(spec, wanted);
    Spec relaxed = spec;
    relaxed.tile_k = 32;
    relaxed.stages = 2;
    const std::vector<Plan> small = enumerate(relaxed, target);
    const auto smallest = std::min_element(
        small.begin(), small.end(),
        [](const Plan& a, const Plan& b) { return a.shared_bytes < b.shared_bytes; });
    refuse_shared(wanted, smallest == small.end() ? wanted : *smallest);
}

}  // namespace sagejit
