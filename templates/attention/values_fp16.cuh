// Operands of P V in fp16: score registers are the A operand as they stand, values are read from
// [token, channel] tiles by transposing ldmatrix, two n8 tiles at a time.
__device__ __forceinline__ void pack_probabilities(u32 (&a)[plan::m_tiles][4], const Scores& p,
                                                   int step) {
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int n = 2 * step + i / 2;
            a[m][i] = f32_to_f16x2(p[m][n][i % 2 * 2], p[m][n][i % 2 * 2 + 1]);
        }
    }
}

__device__ __forceinline__ void load_value_pair(u32 (&values)[4], u32 stage, int step, int n) {
    const u32 lane = thread_index() % kWarpLanes;
    const u32 token = 16 * step + lane % 16;
    ldmatrix_x4_trans(values, stage + plan::v_offset + v_chunk_offset(token, n + lane / 16));
}
