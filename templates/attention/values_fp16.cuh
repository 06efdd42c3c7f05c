// Operands of P V in fp16: score registers are the A operand as they stand, values are read from
// [token, channel] tiles by transposing ldmatrix, two n8 tiles at a time.
constexpr int kProbabilityKeys = 16;  // keys of one A operand

__device__ __forceinline__ void pack_probabilities(u32 (&a)[plan::m_tiles][4], RowState&,
                                                   const f32 (&p)[plan::m_tiles][2][4]) {
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            a[m][i] = f32_to_f16x2(p[m][i / 2][i % 2 * 2], p[m][i / 2][i % 2 * 2 + 1]);
        }
    }
}

// Where in a stage this lane's addresses of value fragments start.
__device__ __forceinline__ u32 lane_value_offset() {
    const u32 lane = thread_index_anew() % kWarpLanes;
    return plan::v_offset + v_chunk_offset(lane % 16, lane / 16);
}

__device__ __forceinline__ void load_value_pair(u32 (&values)[4], u32 lane_values, int step,
                                                int n) {
    ldmatrix_x4_trans(values, chunks_further<plan::v_swizzle_chunks>(lane_values, n) +
                                  16 * step * plan::v_row_bytes);
}
