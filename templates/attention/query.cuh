// Where a lane's query rows lie, and which of them held NaN or Inf.

// First of the rows g + 8h + 16m whose scores this lane holds.
__device__ __forceinline__ const i8* lane_query_row(const Call& call,
                                                    const TilePosition& position) {
    const u32 lane = thread_index() % kWarpLanes;
    const u32 warp = thread_index() / kWarpLanes;
    const u64 first_row =
        (static_cast<u64>(position.q_row) * call.q_tiles + position.q_tile) * plan::tile_q +
        warp * plan::warp_q + lane / 4;
    return call.q_int8 + first_row * plan::head_dim_padded;
}

// Bit 2m + h is set where row g + 8h + 16m carries the quantizer's mark.
__device__ __forceinline__ u32 bad_query_rows(const Call& call, const TilePosition& position) {
    const i8* source = lane_query_row(call, position);
    u32 bad = 0;
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
            const u8 first = static_cast<u8>(source[(16 * m + 8 * h) * plan::head_dim_padded]);
            bad |= static_cast<u32>(first == kBadRowMarker) << (2 * m + h);
        }
    }
    return bad;
}
