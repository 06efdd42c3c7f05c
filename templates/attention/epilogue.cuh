// Normalises and writes a warp's rows.

// Sums a value over the four lanes that share a row.
__device__ __forceinline__ f32 sum_over_row(f32 value) {
    value += shuffle_xor_f32(value, 1);
    return value + shuffle_xor_f32(value, 2);
}

// The first key with NaN or Inf among those of the head; the quantizer kept it for every tile.
__device__ __forceinline__ i32 find_bad_key(const Call& call, const TilePosition& position) {
    const u64 first = static_cast<u64>(position.kv_row) * call.k_tiles;
    u32 key = kNoBadKey;
#pragma unroll 1
    for (i32 tile = thread_index() % kWarpLanes; tile < call.k_tiles; tile += kWarpLanes) {
        const u32 bad =
            f32_to_bits(call.k_meta[(first + tile) * plan::k_meta_words + plan::k_scales_per_tile]);
        key = bad < key ? bad : key;
    }
#pragma unroll
    for (u32 lanes = 1; lanes < kWarpLanes; lanes *= 2) {
        const u32 other = shuffle_xor_u32(key, lanes);
        key = other < key ? other : key;
    }
    return static_cast<i32>(key);
}

__device__ __forceinline__ void write_output(const Call& call, const TilePosition& position,
                                             const Output& output, const RowState& rows) {
    const i32 first_bad_key = find_bad_key(call, position);
    const u32 bad_rows = bad_query_rows(call, position);
    const u32 lane = thread_index() % kWarpLanes;
    const u32 lane_channel = 2 * (lane % 4);
    u16* head = static_cast<u16*>(call.o.data) + position.batch * call.o.stride_batch +
                position.head_q * call.o.stride_head;
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
            const i32 query = query_of(position, m, h);
            const f32 sum = sum_over_row(rows.sum[m][h]);
            const f32 normaliser = sum_over_row(row_normaliser(rows, m, h));
            const i32 limit = row_limit(call, query);
            const bool bad =
                limit > 0 && ((bad_rows >> (2 * m + h) & 1) != 0 || first_bad_key < limit);
            // A row without keys holds zeros.
            const f32 inverse = bad ? bits_to_f32(kNanBits) : limit > 0 ? 1.0f / normaliser : 0.0f;
            if (query >= call.len_q) continue;
            u16* row = head + token_offset(call.o, query);
#pragma unroll
            for (int n = 0; n < plan::head_dim_v / 8; ++n) {
                const u32 channel = 8 * n + lane_channel;
                f32 scales[2];
                i32 first_bad[2];
                load_value_scales(scales, first_bad, call, position, channel);
                f32 pair[2];
#pragma unroll
                for (int e = 0; e < 2; ++e) {
                    pair[e] = output_value(output, m, n, 2 * h + e) * inverse * scales[e];
                    if (first_bad[e] < limit) pair[e] = bits_to_f32(kNanBits);
                }
                const u32 packed = output_pair(pair[0], pair[1]);
                if (call.o.vector_access != 0) {
                    store_global_u32(row + channel, packed);
                } else {
                    row[channel] = static_cast<u16>(packed);
                    row[channel + 1] = static_cast<u16>(packed >> 16);
                }
            }
            if (lane % 4 == 0) {
                store_lse(call, position, query, -rows.offset[m][h], sum, bad);
            }
        }
    }
}
