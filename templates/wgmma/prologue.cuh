// The plan of the wgmma family, as constants; field names are those of Plan
// (generator/include/sagejit/generator/plan.h). Bytes unless said otherwise.
namespace plan {
constexpr int head_dim = ${head_dim};
constexpr int head_dim_v = ${head_dim_v};
constexpr int head_dim_padded = ${head_dim_padded};
constexpr int tile_q = ${tile_q};
constexpr int tile_k = ${tile_k};
constexpr int warp_q = ${warp_q};
constexpr int warps = ${warps};
constexpr int threads = ${threads};
constexpr int stages = ${stages};
constexpr int ctas_per_sm = ${ctas_per_sm};
constexpr int cluster_q = ${cluster_q};
constexpr int output_columns = ${output_columns};
constexpr int product_keys = ${product_keys};
constexpr int panel_bytes = ${panel_bytes};
constexpr int value_panels = ${value_panels};
constexpr int value_panel_bytes = ${value_panel_bytes};
constexpr int value_tile_bytes = ${value_tile_bytes};
constexpr float reference_bits = ${reference_bits};
constexpr float rescale_threshold = ${rescale_threshold};
constexpr int promote_tiles = ${promote_tiles};
constexpr int mean_samples = ${mean_samples};
constexpr int value_samples = ${value_samples};
constexpr int stage_bytes = ${stage_bytes};
constexpr int k_offset = ${k_offset};
constexpr int meta_offset = ${meta_offset};
constexpr int v_offset = ${v_offset};
constexpr int ones_offset = ${ones_offset};
constexpr int query_offset = ${query_offset};
constexpr int early_exp_steps = ${early_exp_steps};
constexpr int master_offset = ${master_offset};
constexpr int barrier_offset = ${barrier_offset};
constexpr int scratch_offset = ${scratch_offset};
constexpr int shared_bytes = ${shared_bytes};
constexpr int k_scales_per_tile = ${k_scales_per_tile};
constexpr int k_meta_words = ${k_meta_words};
constexpr int k_tile_bytes = ${k_tile_bytes};
constexpr int k_meta_bytes = ${k_meta_bytes};
constexpr int quant_threads = ${quant_threads};
constexpr int quant_ctas_per_sm = ${quant_ctas_per_sm};  // 0: as the compiler likes
constexpr int quant_lanes = ${quant_lanes};
constexpr int quant_lanes_v = ${quant_lanes_v};
constexpr int settle_parts = ${settle_parts};
}  // namespace plan
