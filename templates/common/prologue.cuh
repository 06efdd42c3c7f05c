// The plan, as constants. The only template with placeholders; field names are those of Plan
// (generator/include/sagejit/generator/plan.h).
namespace plan {
constexpr int head_dim = ${head_dim};                    // channels of Q and K
constexpr int head_dim_v = ${head_dim_v};                // channels of V and O
constexpr int head_dim_padded = ${head_dim_padded};      // multiple of 32
constexpr int head_dim_v_padded = ${head_dim_v_padded};  // multiple of 16
constexpr int tile_q = ${tile_q};                        // query tokens per CTA
constexpr int tile_k = ${tile_k};                        // key tokens per step
constexpr int warp_q = ${warp_q};                        // query tokens per warp
constexpr int warps = ${warps};
constexpr int threads = ${threads};
constexpr int stages = ${stages};  // key/value tiles in flight
constexpr int ctas_per_sm = ${ctas_per_sm};
constexpr bool keeps_addresses = ${keeps_addresses};       // in registers, from turn to turn
constexpr bool computes_anew = ${computes_anew};           // addresses, every turn
constexpr int m_tiles = ${m_tiles};                        // 16-row MMA tiles per warp
constexpr float rescale_threshold = ${rescale_threshold};  // log2
constexpr int stage_bytes = ${stage_bytes};
constexpr int k_offset = ${k_offset};  // bytes from the start of a stage
constexpr int k_row_bytes = ${k_row_bytes};
constexpr int k_swizzle_chunks = ${k_swizzle_chunks};
constexpr int k_swizzle_rows = ${k_swizzle_rows};
constexpr int v_offset = ${v_offset};
constexpr int v_rows = ${v_rows};  // tokens, or channels for int8
constexpr int v_row_bytes = ${v_row_bytes};
constexpr int v_swizzle_chunks = ${v_swizzle_chunks};
constexpr int v_swizzle_rows = ${v_swizzle_rows};
constexpr int meta_offset = ${meta_offset};
constexpr int query_offset = ${query_offset};  // bytes; Q, where it is kept in shared memory
constexpr int query_bytes = ${query_bytes};
constexpr int barrier_offset = ${barrier_offset};
constexpr int shared_bytes = ${shared_bytes};
constexpr int q_scales_per_tile = ${q_scales_per_tile};
constexpr int k_scales_per_tile = ${k_scales_per_tile};
constexpr int k_meta_words = ${k_meta_words};  // scales, first bad key, padding
constexpr int k_tile_bytes = ${k_tile_bytes};  // from one tile of quantized keys to the next
constexpr int k_meta_bytes = ${k_meta_bytes};  // from one tile's scales to the next's
constexpr int quant_threads = ${quant_threads};
constexpr int quant_lanes = ${quant_lanes};  // lanes that share a row of Q or K
constexpr int quant_lanes_v = ${quant_lanes_v};
}  // namespace plan
