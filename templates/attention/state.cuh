// Geometry of one warp's part of the tile, and the online-softmax state it carries.
constexpr int kKeyTiles = plan::tile_k / 8;               // n8 tiles of S
constexpr int kValueTiles = plan::head_dim_v_padded / 8;  // n8 tiles of O
constexpr int kHeadSteps = plan::head_dim_padded / 32;    // k32 steps of QK

// S = Q K^T, one accumulator per 16 x 8 tile: element 2h + e is row g + 8h, key 2(lane % 4) + e.
// Sums start at kScoreBiasBits, so that their bits are the float kScoreBias + sum: exact for
// |sum| < 2^22, which 127 * 127 * 256 does not reach.
constexpr u32 kScoreBiasBits = 0x4B400000u;
constexpr f32 kScoreBias = 12582912.0f;  // 1.5 * 2^23

// Factors of the softmax are positive, so that a masked score, -inf, stays -inf: where the product
// of the scales is 0 or underflows, as for logit_scale 0, this takes its place. Scores below 2^23
// times it are 0 to fp32.
constexpr f32 kSmallestFactor = 7.8886090522101181e-31f;  // 2^-100

using IntegerScores = i32[plan::m_tiles][kKeyTiles][4];
using Scores = f32[plan::m_tiles][kKeyTiles][4];
using RowValues = f32[plan::m_tiles][2];  // one per row a lane holds

struct RowState {
    RowValues reference;  // log2 units; at most rescale_threshold below the true maximum
    RowValues sum;        // this lane's part of sum(p)
    RowValues weight;     // this lane's part of the normaliser, where it is not sum(p)
};

// Which part of the problem a CTA computes.
struct TilePosition {
    i32 batch, head_q, head_kv;
    i32 q_row, kv_row;  // indices into workspace arrays
    i32 q_tile;
    i32 first_query;
};
