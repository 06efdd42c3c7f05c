// Which tile of which head a CTA computes.
// Divides anew wherever it stands, so that nobody keeps the results in registers meanwhile.
__device__ __forceinline__ TilePosition locate_tile(const Call& call) {
    TilePosition position;
    const u32 index = kept_in_register(cta_index());
    position.q_row = static_cast<i32>(index / call.q_tiles);
    position.q_tile = tile_in_order(static_cast<i32>(index % call.q_tiles), call.q_tiles);
    position.batch = position.q_row / call.heads_q;
    position.head_q = position.q_row % call.heads_q;
    position.head_kv = position.head_q / call.group_size;
    position.kv_row = position.batch * call.heads_kv + position.head_kv;
    position.first_query = position.q_tile * plan::tile_q;
    return position;
}
