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
        inverse[h] = 1.0f / row_sum(output, rows, h);
    }
#pragma unroll
    for (int j = 0; j < plan::head_dim_v / 8; ++j) {
        if (j % 4 == 0) warp_barrier();  // keeps loads from running ahead of registers
#pragma unroll
        for (int e = 0; e < 2; ++e) {
            const f32 scale = call.v_scale[first + 8 * j + e];
            const f32 mean = call.v_mean[first + 8 * j + e];
            const i32 first_bad = call.v_first_bad[first + 8 * j + e];
#pragma unroll
            for (int h = 0; h < 2; ++h) {
                f32& value = output[4 * j + 2 * h + e];
                value = fma_rn(value * inverse[h], scale, mean);
                if (first_bad < limits[h]) value = bits_to_f32(kNanBits);
            }
        }
    }
}
