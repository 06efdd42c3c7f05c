// What the source can derive for itself must agree with the plan.
static_assert(plan::warps * plan::warp_q == plan::tile_q, "warps cover the query tile");
static_assert(plan::warp_q == 16 && plan::tile_q % 64 == 0, "warpgroups of 64 queries");
static_assert(plan::threads == plan::warps * 32 + 128, "one more warpgroup copies");
static_assert(plan::tile_k % plan::product_keys == 0 && plan::tile_k <= 256,
              "wgmma takes such a tile");
static_assert(plan::output_columns % 8 == 0 && plan::head_dim_v <= 256, "and such an output");
static_assert(plan::head_dim_padded % plan::panel_bytes == 0, "whole panels");
static_assert(plan::value_tile_bytes >= plan::tile_k * plan::head_dim_v, "panels cover the values");
static_assert(plan::k_tile_bytes >= plan::tile_k * plan::head_dim_padded + 4 * plan::k_meta_words,
              "scales behind the keys");
static_assert(plan::meta_offset == plan::k_offset + plan::tile_k * plan::head_dim_padded, "");
static_assert(plan::k_meta_bytes == plan::k_tile_bytes, "");
static_assert(plan::k_scales_per_tile == 4 && plan::k_meta_words == 8,
              "the first bad key behind each scale");
static_assert(plan::stage_bytes % 1024 == 0 && plan::v_offset % 1024 == 0, "swizzle periods");
static_assert(plan::query_offset == plan::stages * plan::stage_bytes, "Q follows the stages");
static_assert(plan::query_block_bytes % (plan::query_blocks > 1 ? 1024 : 16) == 0 &&
                  plan::block_signal_offset % 16 == 0 && plan::value_terms_offset % 16 == 0,
              "");
static_assert(plan::query_offset + plan::query_blocks * plan::query_block_bytes <=
                  plan::master_offset,
              "blocks of queries, then what is promoted");
static_assert(plan::order_offset % 8 == 0, "");
static_assert(plan::query_blocks == 1 || plan::order_offset == 0,
              "a drawn tile is known too late to be prepared ahead");
static_assert(plan::barrier_offset % 8 == 0 && plan::shared_bytes >= plan::scratch_offset, "");
static_assert(plan::quant_lanes * 8 >= plan::head_dim_padded && plan::quant_lanes <= 32, "");
static_assert(plan::mean_samples >= 0 && plan::value_samples >= 0 && plan::value_sample_keys > 0 &&
                  plan::short_value_keys > 0 && plan::most_value_samples % 2 == 1,
              "");
static_assert(plan::promote_tiles >= 0, "0: none");
static_assert(plan::bold_tiles >= 0 && plan::bold_offset % 16 == 0 && plan::bold_spread >= 0 &&
                  plan::bold_reference <= plan::reference_bits &&
                  (plan::bold_tiles > 0 || !plan::bold_waits_first),
              "bold steps, or none");
static_assert(plan::master_reference_offset >= plan::master_offset, "");
static_assert(plan::master_offset % 16 == 0 && plan::ones_offset % 256 == 0, "");
static_assert(plan::quant_lanes_v * 8 >= plan::head_dim_v && plan::quant_lanes_v <= 32, "");
static_assert(plan::value_panels * plan::value_panel_bytes >= plan::tile_k ||
                  plan::value_panels * 64 >= plan::head_dim_v,
              "panels cover the values");
