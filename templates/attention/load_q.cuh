// Loads a warp's quantized query rows as A fragments of m16n8k32, straight from the workspace.
// bad_rows: bit 2m + h is set where row g + 8h of MMA tile m held NaN or Inf.
__device__ __forceinline__ void load_q(const Call& call, const TilePosition& position,
                                       QueryFragments& fragments, u32& bad_rows) {
    const u32 lane = thread_index() % kWarpLanes;
    const u32 warp = thread_index() / kWarpLanes;
    const u64 first_row =
        (static_cast<u64>(position.q_row) * call.q_tiles + position.q_tile) * plan::tile_q +
        warp * plan::warp_q + lane / 4;
    const i8* source = call.q_int8 + first_row * plan::head_dim_padded + 4 * (lane % 4);
    bad_rows = 0;
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int step = 0; step < kHeadSteps; ++step) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int row = 16 * m + 8 * (i % 2);
                const int channel = 32 * step + 16 * (i / 2);
                fragments[m][step][i] =
                    load_global_u32(source + row * plan::head_dim_padded + channel);
            }
        }
#pragma unroll
        for (int h = 0; h < 2; ++h) {
            const bool bad = lane % 4 == 0 && (fragments[m][0][h] & 0xFFu) == kBadRowMarker;
            bad_rows |= static_cast<u32>(bad) << (2 * m + h);
        }
    }
    bad_rows |= shuffle_xor_u32(bad_rows, 1);
    bad_rows |= shuffle_xor_u32(bad_rows, 2);
}
