// A warp's quantized query rows as A fragments of m16n8k32, held in registers for the whole loop.
struct Query {
    u32 fragments[plan::m_tiles][kHeadSteps][4];
};

__device__ __forceinline__ void load_query(const Call& call, const TilePosition& position,
                                           Query& query, u32) {
    const i8* source = lane_query_row(call, position) + 4 * (thread_index() % 4);
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int step = 0; step < kHeadSteps; ++step) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int row = 16 * m + 8 * (i % 2);
                const int channel = 32 * step + 16 * (i / 2);
                query.fragments[m][step][i] =
                    load_global_u32(source + row * plan::head_dim_padded + channel);
            }
        }
    }
}

__device__ __forceinline__ void query_fragment(u32 (&a)[4], const Query& query, int m, int step) {
#pragma unroll
    for (int i = 0; i < 4; ++i) a[i] = query.fragments[m][step][i];
}
