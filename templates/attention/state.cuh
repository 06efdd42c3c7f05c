// Geometry of one warp's part of the tile, and the online-softmax state it carries.
constexpr int kKeyTiles = plan::tile_k / 8;               // n8 tiles of S
constexpr int kValueTiles = plan::head_dim_v_padded / 8;  // n8 tiles of O
constexpr int kHeadSteps = plan::head_dim_padded / 32;    // k32 steps of QK

// S = Q K^T, one accumulator per 16 x 8 tile: element 2h + e is row g + 8h, key 2(lane % 4) + e.
// Sums start at kScoreBiasBits, so that their bits are the float kScoreBias + sum: exact for
// |sum| < 2^22, which 127 * 127 * 256 does not reach. Where keys have scales of their own, the bits
// become those of the float key scale * sum.
constexpr u32 kScoreBiasBits = 0x4B400000u;
constexpr f32 kScoreBias = 12582912.0f;  // 1.5 * 2^23

// Factors of the softmax are positive, so that a masked score, -inf, stays -inf: where the product
// of the scales is 0 or underflows, as for logit_scale 0, this takes its place. Scores below 2^23
// times it are 0 to fp32.
constexpr f32 kSmallestFactor = 7.8886090522101181e-31f;  // 2^-100

using Scores = i32[plan::m_tiles][kKeyTiles][4];
using RowValues = f32[plan::m_tiles][2];  // one per row a lane holds

// p = 2^(score * factor + offset + kProbabilityShift): the offset is minus the row's reference
// maximum, in log2 units, which is at most rescale_threshold below the true one.
struct RowState {
    RowValues offset;
    RowValues factor;  // of the tile whose scores are held
    RowValues sum;     // this lane's part of sum(p)
    RowValues weight;  // this lane's part of the normaliser, where it is not sum(p)
};

// A row that has seen no key has this offset; its first key moves the reference.
constexpr f32 kNoReference = 1e30f;

// Which part of the problem a CTA computes.
struct TilePosition {
    i32 batch, head_q, head_kv;
    i32 q_row, kv_row;  // indices into workspace arrays
    i32 q_tile;
    i32 first_query;
};

// The query of row g + 8h of the lane's 16-row tile m.
__device__ __forceinline__ i32 query_of(const TilePosition& position, int m, int h) {
    const u32 row = thread_index() / kWarpLanes * plan::warp_q + thread_index() % kWarpLanes / 4;
    return position.first_query + static_cast<i32>(row) + 16 * m + 8 * h;
}

// The thread's index; where addresses are computed anew, one that no other computation shares.
__device__ __forceinline__ u32 thread_index_anew() {
    return plan::computes_anew ? kept_in_register(thread_index()) : thread_index();
}

// Some plans have registers for addresses that others compute again every turn.
__device__ __forceinline__ u32 kept_where_room(u32 value) {
    return plan::keeps_addresses ? kept_in_register(value) : value;
}
