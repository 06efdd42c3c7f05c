// What the source can derive for itself must agree with the plan.
static_assert(plan::warps * plan::warp_q == plan::tile_q, "warps cover the query tile");
static_assert(plan::threads == plan::warps * 32, "32 lanes a warp");
static_assert(plan::m_tiles * 16 == plan::warp_q, "MMA tiles cover a warp's rows");
static_assert(plan::head_dim_padded % 32 == 0 && plan::head_dim_padded >= plan::head_dim, "");
static_assert(plan::head_dim_v_padded % 16 == 0 && plan::head_dim_v_padded >= plan::head_dim_v, "");
static_assert(plan::k_row_bytes == plan::head_dim_padded, "one byte a channel");
static_assert(plan::v_offset >= plan::k_offset + plan::tile_k * plan::k_row_bytes, "K fits");
static_assert(plan::meta_offset >= plan::v_offset + plan::v_rows * plan::v_row_bytes, "V fits");
static_assert(plan::stage_bytes >= plan::meta_offset + 4 * plan::k_meta_words, "scales fit");
static_assert(plan::query_offset == plan::stages * plan::stage_bytes, "Q follows the stages");
static_assert(plan::barrier_offset == plan::query_offset + plan::query_bytes, "then the barrier");
static_assert(plan::shared_bytes == plan::barrier_offset + 16, "nothing else");
static_assert(plan::k_meta_words == plan::k_scales_per_tile + 4, "a first bad key, padded");
static_assert(plan::k_swizzle_chunks % 2 == 0 && plan::v_swizzle_chunks % 2 == 0, "flips");
static_assert(plan::k_swizzle_chunks * plan::k_swizzle_rows == 8, "one ldmatrix phase a period");
static_assert(plan::v_swizzle_chunks * plan::v_swizzle_rows == 8, "one ldmatrix phase a period");
static_assert(plan::quant_lanes * 8 >= plan::head_dim_padded && plan::quant_lanes <= 32, "");
static_assert(plan::quant_lanes_v * 8 >= plan::head_dim_v_padded && plan::quant_lanes_v <= 32, "");
