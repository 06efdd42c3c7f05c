// Normalises and writes a warp's rows. Returns whether this lane wrote what must be repaired.
__device__ __forceinline__ bool write_output(const Call& call, const TilePosition& position,
                                             const Walk& walk, const RowState& rows,
                                             const Output& output, i32 first_bad_key) {
    u16* head = static_cast<u16*>(call.o.data) + position.batch * call.o.stride_batch +
                position.head_q * call.o.stride_head;
    bool repair = false;
#pragma unroll
    for (int h = 0; h < 2; ++h) {
        const u32 row_in_tile = lane_row() + 8 * h;
        const i32 query = query_of(position, h);
        const f32 sum = row_sum(output, rows, h);
        const f32 shift = query_shift(call, position, query);
        const i32 limit = row_limit(call, query);
        const bool bad =
            limit > 0 && (first_bad_key < limit || is_bad_query(walk.shared, row_in_tile));
        const f32 inverse = limit > 0 ? 1.0f / sum : 0.0f;
        if (query >= call.len_q) continue;
        keep_row(walk.shared, row_in_tile, walk.query_factor,
                 bad || limit == 0 ? kNoReference : rows.offset[h]);
        u16* row = head + token_offset(call.o, query) + 2 * (lane_index() % 4);
#pragma unroll
        for (int j = 0; j < plan::head_dim_v / 8; ++j) {
            f32 pair[2];
#pragma unroll
            for (int e = 0; e < 2; ++e) {
                pair[e] = output[4 * j + 2 * h + e] * inverse;
                if (limit == 0) pair[e] = 0.0f;
                repair |= needs_repair(pair[e]);
                if (bad) pair[e] = bits_to_f32(kNanBits);
            }
            const u32 packed = output_pair(pair[0], pair[1]);
            if (call.o.vector_access != 0) {
                store_global_u32(row + 8 * j, packed);
            } else {
                row[8 * j] = static_cast<u16>(packed);
                row[8 * j + 1] = static_cast<u16>(packed >> 16);
            }
        }
        if (lane_index() % 4 == 0) {
            store_lse(call, position, query, rows.offset[h], sum, limit, bad, shift);
        }
    }
    return repair;
}
