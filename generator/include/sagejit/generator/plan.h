// Every decision about a kernel: tile sizes, shared-memory map, fragments, scale shapes, entries.
// The single truth that the kernels, the quantizer and the launcher read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sagejit/generator/spec.h"
#include "sagejit/generator/target.h"

namespace sagejit {

// Where P*V takes V from.
enum class VPath {
    kDirect,      // the caller's fp16 tensor
    kScaledFp16,  // a workspace copy in fp16, each channel scaled by a power of two (bf16 input)
    kInt8,        // a workspace copy in int8, transposed and permuted, a scale per channel
    kFp8,         // the same in e4m3, less a mean per channel
};
std::string_view to_string(VPath value);

// One buffer of the shared-memory map. Rows are swizzled by XOR on their 16-byte chunks:
// chunk' = chunk ^ ((row / swizzle_rows) & (swizzle_chunks - 1)), so that the eight rows one
// ldmatrix reads fall into eight different bank groups.
struct SharedRegion {
    std::string name;
    int offset = 0;  // bytes from the start of a stage
    int bytes = 0;
    int rows = 0;
    int row_bytes = 0;
    int swizzle_chunks = 1;
    int swizzle_rows = 1;
};

// Values in e4m3: the mean of V comes from a sample of Plan::value_samples tokens, from two more
// where there are at least kShortValueKeys keys, and from two for every kValueSampleKeys, at most
// so many in all.
inline constexpr int kShortValueKeys = 2048;
inline constexpr int kValueSampleKeys = 16384;
inline constexpr int kMostValueSamples = 31;

struct Plan {
    Spec spec;  // with every optional member filled in
    Target target;

    // Attention geometry. Tokens, warps, threads.
    int tile_q = 0, tile_k = 0, warp_q = 0;
    int warps = 0, threads = 0;
    int stages = 0;       // key/value tiles in flight
    int ctas_per_sm = 0;  // asked of the compiler by __launch_bounds__
    int m_tiles = 0;      // 16-row MMA tiles per warp
    int register_estimate = 0;

    // Padded channel counts: int8 MMA takes 32 channels a step, ldmatrix 16 value channels.
    int head_dim_padded = 0, head_dim_v_padded = 0;

    VPath v_path = VPath::kDirect;
    float rescale_threshold = 0;  // log2 by which a row may outgrow its reference maximum

    // Scores enter the softmax with their integer bias, which its multiply-add takes off.
    bool score_bias_folded = false;
    // Q's fragments stay in registers, or are read from shared memory for every key tile.
    bool query_in_shared = false;

    // The wgmma family only. Warpgroups share key tiles, 64 queries each; every warp takes 16.
    int groups = 0;
    int cluster_q = 1;          // CTAs of a cluster: neighbouring query tiles share key tiles
    int panel_bytes = 0;        // width of a swizzled panel of Q and K
    int value_panels = 0;       // panels of V: of 64 channels, or, in e4m3, of tokens
    int value_panel_bytes = 0;  // width of their rows
    int value_tile_bytes = 0;   // of a key tile's V
    int product_keys = 0;       // keys of one P V instruction
    bool sums_by_mma = false;   // row sums come from columns of ones behind V
    int output_columns = 0;     // value channels, then those columns
    float reference_bits = 0;   // log2 of a row's largest probability when its reference moves
    int promote_tiles = 0;      // key tiles from one promotion of the sums to the next; 0: none
    // Promoted sums: bytes of one, 4 (fp32) or 2 (bf16, and the rest stays in the accumulator), and
    // where they lie, bytes from the start of shared memory.
    int master_number_bytes = 0;
    int master_offset = 0;
    int master_reference_offset = 0;  // the references of its rows
    bool draws_tiles = false;         // CTAs draw query tiles, which differ in length or height
    bool has_low_tiles = false;       // some query tiles of a head may be low (query_tiles.h)
    int barrier_offset = 0;  // mbarriers of mma.sync, bytes from the start of shared memory
    // What a query tile needs besides keys and values: a block of shared memory, or two that take
    // turns, so that one is prepared while the other is in use. Offsets are those of the first.
    int query_blocks = 0, query_block_bytes = 0;
    int scratch_offset = 0;       // groups of query rows, rows to repair
    int block_signal_offset = 0;  // two mbarriers, and a word for every 16 rows
    int value_terms_offset = 0;   // e4m3: scales and means of V's channels, first bad key; 0: none
    int early_exp_steps = 0;      // 16-key steps exponentiated before the wait for P V
    int scale_lead = 0;           // 16-key steps by which multiply-adds lead exponentials; 0: any
    // Steps that make probabilities before they know the maximum (templates/wgmma/bold_steps.cuh).
    int bold_tiles = 0;  // of key tiles without a mask, for which it is worth it; 0: never
    bool bold_waits_first = false;  // for P V, before exponentials
    float bold_spread = 0;          // log2: at most so far may a row's maximum be above its mean
    float bold_reference = 0;       // what reference_bits is then
    int bold_offset = 0;            // where warps agree on it, in a block of shared memory
    int mean_samples = 0;           // keys whose mean is subtracted; 0: all
    int value_samples = 0;       // tokens of V whose mean is subtracted, and that choose its scales
    bool samples_first = false;  // means and V's scales are found by a launch of their own

    // Shared memory of the attention kernel: `stages` copies of the regions, then Q's tile where
    // it is kept there.
    std::vector<SharedRegion> stage_regions;  // k, v, meta
    int stage_bytes = 0;
    int shared_bytes = 0;

    // Scale buffers. Q: one scale a row (token), else 8 a warp, one for each row mod 8.
    // K: one a row (token), else 4 a tile, one for each (row mod 8) / 2; then 4 words of which
    // the first holds the first bad key.
    bool scale_per_token = false;
    int q_scales_per_tile = 0;
    int k_scales_per_tile = 0;
    int k_meta_words = 0;
    int k_tile_bytes = 0;            // from one tile of quantized keys to the next
    int k_meta_bytes = 0;            // from one tile's scales to the next's
    bool query_in_prologue = false;  // Q is quantized inside the attention kernel

    // Quantizer and statistics kernels.
    int quant_threads = 0;
    int quant_ctas_per_sm = 0;  // asked of the compiler; 0: nothing
    int quant_lanes = 0;        // lanes that share one row of Q or K, 8 channels each
    int quant_lanes_v = 0;      // the same for V
    int quant_shared_bytes = 0;
    int statistics_shared_bytes = 0;
    bool has_statistics = false;  // K mean and V per-channel amax
    bool has_amax = false;        // tensor granularity takes one more pass
};

// Decides everything for a spec on a target. Deterministic. Throws Error(kUnsupportedTarget) with
// the field, the limit and the nearest legal value when the target cannot hold what was asked,
// and Error(kInvalidConfig) for an invalid spec.
Plan make_plan(const Spec& spec, const Target& target);

// Whether a target can hold a spec at all. Throws Error(kInvalidConfig) for an invalid spec.
bool supports(const Target& target, const Spec& spec);

// The target a spec gets on a device of compute capability major.minor: the best that supports it.
// Throws Error(kUnsupportedTarget) when no target runs there.
const Target& best_target(const Spec& spec, int major, int minor);

// Every legal plan for a spec on a target (tiles, stages), the default first.
std::vector<Plan> candidates(const Spec& spec, const Target& target);

// The plan for a person, and as a JSON object. indent < 0 gives one line.
std::string plan_text(const Plan& plan);
std::string plan_json(const Plan& plan, int indent = 2);

}  // namespace sagejit
