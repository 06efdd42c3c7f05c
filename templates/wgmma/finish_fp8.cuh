// Values were quantized less their channel's mean, with a scale per channel. Probabilities sum to
// one, so the mean is added to the quotient. A channel is NaN for every row that sees its first key
// with NaN or Inf.
__device__ __forceinline__ f32 normalising_factor(f32) { return 1.0f; }

__device__ __forceinline__ void finish_output(const Call& call, const TilePosition& position,
                                              const RowState& rows, Output& output) {
    // Worked out again: it should not take a register all the way through the keys.
    const i32 kv_row = kv_row_of(call, position.q_row);
    const u64 first = static_cast<u64>(kv_row) * plan::head_dim_v + 2 * (lane_index() % 4);
    i32 limits[2];
    f32 inverse[2];
#pragma unroll
    for (int h = 0; h < 2; ++h) {
        limits[h] = row_limit(call, query_of(position, h));
        inverse[h] = rows.gain / row_sum(output, rows, h);
    }
#pragma unroll
    for (int j = 0; j < plan::head_dim_v / 8; ++j) {
        if (j % 4 == 0) warp_barrier();  // keeps loads from running ahead of registers
        u32 scale[2], mean[2];
        load_global_u32x2(scale, call.v_scale + first + 8 * j);
        load_global_u32x2(mean, call.v_mean + first + 8 * j);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            f32& value = output[4 * j + i];
            value =
                fma_rn(value * inverse[i / 2], bits_to_f32(scale[i % 2]), bits_to_f32(mean[i % 2]));
        }
    }
    // Rare: any channel with such a key that the last row of the warp sees.
    const i32 last = position.first_query + static_cast<i32>((warp_index() + 1) * plan::warp_q) - 1;
    const i32 seen = row_limit(call, last);
    bool bad = false;
#pragma unroll
    for (u32 channel = 0; channel < plan::head_dim_v; channel += kWarpLanes) {
        const u32 own = channel + lane_index();
        if (plan::head_dim_v % kWarpLanes == 0 || own < plan::head_dim_v) {
            bad |= call.v_first_bad[static_cast<u64>(kv_row) * plan::head_dim_v + own] < seen;
        }
    }
    if (!vote_any(bad)) return;
#pragma unroll
    for (int i = 0; i < 4 * (plan::head_dim_v / 8); ++i) {
        if (call.v_first_bad[first + 8 * (i / 4) + i % 2] < limits[i / 2 % 2]) {
            output[i] = bits_to_f32(kNanBits);
        }
    }
}
