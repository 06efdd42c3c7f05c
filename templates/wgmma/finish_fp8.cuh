// Values were quantized less their channel's mean, with a scale per channel. Probabilities sum to
// one, so the mean is added to the quotient. A channel is NaN for every row that sees its first key
// with NaN or Inf.
__device__ __forceinline__ f32 normalising_factor(f32) { return 1.0f; }

__device__ __forceinline__ void finish_output(const Call& call, const TilePosition& position,
                                              const RowState& rows, u32 block, Output& output) {
    const i32 kv_row = heads_of(call, position.q_row).kv_row;
    const u32 lane_channel = 2 * (lane_index() % 4);
    f32 inverse[2];
#pragma unroll
    for (int h = 0; h < 2; ++h) inverse[h] = rows.gain / row_sum(output, rows, h);
#pragma unroll
    for (int j = 0; j < plan::head_dim_v / 8; ++j) {
        if (j % 4 == 0) warp_barrier();  // keeps loads from running ahead of registers
        u32 terms[4];
        load_terms(terms, call, kv_row, block, lane_channel, 8 * j);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            f32& value = output[4 * j + i];
            value = fma_rn(value * inverse[i / 2], bits_to_f32(terms[i % 2]),
                           bits_to_f32(terms[2 + i % 2]));
        }
    }
    // Rare: any channel with such a key that the last row of the warp sees.
    const i32 last = position.first_query + static_cast<i32>((warp_index() + 1) * plan::warp_q) - 1;
    if (!any_bad_value(call, kv_row, block, row_limit(call, last))) return;
    const i32* keys = call.v_first_bad + static_cast<u64>(kv_row) * plan::head_dim_v + lane_channel;
    const i32 limits[2] = {row_limit(call, query_of(position, 0)),
                           row_limit(call, query_of(position, 1))};
#pragma unroll
    for (int i = 0; i < 4 * (plan::head_dim_v / 8); ++i) {
        if (keys[8 * (i / 4) + i % 2] < limits[i / 2 % 2]) output[i] = bits_to_f32(kNanBits);
    }
}
