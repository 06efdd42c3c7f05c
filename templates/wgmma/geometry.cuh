// Registers of one lane. A warpgroup computes 64 queries; warp w of it rows 16 w .. 16 w + 15, of
// which a lane holds g = lane / 4 (h = 0) and g + 8 (h = 1). Register 4 j + 2 h + e of an
// accumulator is column 8 j + 2 (lane % 4) + e (PTX ISA, wgmma, "Register fragments").
constexpr u32 kGroupThreads = 128;
// Warps of the copying warpgroup that copy nothing; whether they have anything to do (ahead.cuh).
constexpr u32 kHelpers = 3;
constexpr bool kQueriesAhead = plan::query_blocks == 2;
constexpr bool kHelp = kQueriesAhead || plan::value_terms_offset > 0;
// Registers a thread, once the copying warpgroup has given some away.
constexpr int kCopyRegisters = plan::warps == 8 ? (kHelp ? 40 : 24) : 32;
constexpr int kComputeRegisters = plan::warps == 16   ? 112
                                  : plan::warps == 12 ? 160
                                                      : (kHelp ? 232 : 240);
constexpr u32 kGroupRows = 64;
constexpr int kScoreRegisters = plan::tile_k / 2;
constexpr int kOutputRegisters = plan::output_columns / 2;
constexpr int kKeySteps = plan::tile_k / 16;            // of the softmax
constexpr int kHeadSteps = plan::head_dim_padded / 32;  // of Q K^T

// Sums of Q K^T start at kScoreBiasBits, so that their bits are the float kScoreBias + sum: exact
// for |sum| < 2^22, which 127 * 127 * 256 does not reach.
constexpr u32 kScoreBiasBits = 0x4B400000u;
constexpr f32 kScoreBias = 12582912.0f;  // 1.5 * 2^23

// Factors of the softmax are positive, so that a masked score, -inf, stays -inf: where the product
// of the scales is 0 or underflows, as for logit_scale 0, this takes its place.
constexpr f32 kSmallestFactor = 7.8886090522101181e-31f;  // 2^-100

using Scores = i32[kScoreRegisters];
using Output = f32[kOutputRegisters];
using Probabilities = u32[plan::tile_k / plan::product_keys][4];  // A operands of P V

// p = 2^(score * factor + offset): the offset is plan::reference_bits less the row's reference
// maximum, in log2 units.
struct RowState {
    f32 offset[2];
    f32 shrink[2];  // by which the last move of the reference shrank what was summed before
    bool moved;     // the same for a whole warp
    f32 gain;       // that sums of P V want at the end
    f32 sum[2];     // this lane's part of sum(p), where no column of ones carries it
};

// A row that has seen no key has this offset; its first key moves the reference.
constexpr f32 kNoReference = 1e30f;

__device__ __forceinline__ u32 lane_index() { return thread_index() % kWarpLanes; }
__device__ __forceinline__ u32 warp_index() { return warp_uniform(thread_index() / kWarpLanes); }
__device__ __forceinline__ u32 group_index() {
    return warp_uniform(thread_index() / kGroupThreads);
}
// The first of the lane's two rows inside the CTA's tile; the other is 8 further.
__device__ __forceinline__ u32 lane_row() { return warp_index() * plan::warp_q + lane_index() / 4; }

// Which part of the problem a CTA computes.
struct TilePosition {
    i32 q_row;  // index into workspace arrays
    i32 first_query;
};

// The query of one of the lane's two rows.
__device__ __forceinline__ i32 query_of(const TilePosition& position, int h) {
    return position.first_query + static_cast<i32>(lane_row()) + 8 * h;
}
