// One tile of queries.
__device__ __forceinline__ void read_query_tile(const Call& call, i32 q_row, i32 tile_index,
                                                TileRows<plan::tile_q, plan::quant_threads>& tile,
                                                u32 groups) {
    const f32 no_mean[8] = {};
    const i32 first = tile_index * plan::tile_q;
    clear_groups<plan::quant_threads>(groups, kQueryGroups);
    read_rows<true>(tile, call.q, head_base(call.q, q_row / call.heads_q, q_row % call.heads_q),
                    first, call.len_q - first, no_mean, groups);
    cta_barrier();
}
