// Attention: one CTA computes tile_q queries of one head; warps own warp_q of them each and walk
// the keys together, tile by tile, with copies of the next tiles in flight.

// Everything is found anew by the second walk, so that nothing is kept for it meanwhile.
__device__ __forceinline__ void attend(const Call& call, bool guarded, RowState& rows,
                                       Output& output) {
    const TilePosition position = locate_tile(call);
    const i32 last_query = position.first_query + plan::tile_q < call.len_q
                               ? position.first_query + plan::tile_q - 1
                               : call.len_q - 1;
    Walk walk;
    walk.shared = kept_in_register(shared_base());
    walk.tiles = divide_up(row_limit(call, last_query), plan::tile_k);
    walk.unmasked =
        values_are_aligned(call) ? row_limit(call, position.first_query) / plan::tile_k : 0;
    walk.guarded = guarded;
    walk.lane_keys = kept_where_room(lane_key_offset());
    walk.lane_values = kept_where_room(lane_value_offset());
    if (!guarded) init_pace(walk.shared);
    load_q_scales(call, position, walk.scales);
    Query query;
    load_query(call, position, query, walk.shared + plan::query_offset);
    clear_output(output);
    clear_rows(rows);
    if (walk.tiles > 0) walk_keys(call, position, query, walk, rows, output);
}

extern "C" __global__ void __launch_bounds__(plan::threads, plan::ctas_per_sm)
    attention(const __grid_constant__ Call call) {
    Output output;
    RowState rows;
    // Once more with care for values that are not finite, where the first result is not.
    bool guarded = false;
#pragma unroll 1
    for (;;) {
        attend(call, guarded, rows, output);
        if (guarded || !output_needs_guard(output, kept_in_register(shared_base()))) break;
        guarded = true;
    }
    write_output(call, locate_tile(call), output, rows);
}
