// A causal tile holds keys that some rows must not see; a probability of 0 times a NaN or Inf value
// still spoils that channel of those rows. Where a warp wrote an output that is not finite, it
// computes those eight channels again on its own, from the keys that the row does see: slow, exact,
// and off the path of finite values.

// What a row's probabilities are made of: its factor (its query scale) and offset, kept in shared
// memory for all lanes of the warp.
__device__ __forceinline__ u32 kept_row(u32 shared, u32 row) {
    return query_inverses(shared, plan::warps) + 8 * row;
}
__device__ __forceinline__ void keep_row(u32 shared, u32 row, f32 factor, f32 offset) {
    if (lane_index() % 4 != 0) return;  // the four lanes of a row agree
    store_shared_f32(kept_row(shared, row), factor);
    store_shared_f32(kept_row(shared, row) + 4, offset);
}

__device__ __forceinline__ f32 probability(const Call& call, const TilePosition& position,
                                           u32 shared, u32 row, i32 key) {
    const u32 key_row = static_cast<u32>(key) % plan::tile_k;
    const i8* tile =
        call.k_int8 + (static_cast<u64>(heads_of(call, position.q_row).kv_row) * call.k_tiles +
                       key / plan::tile_k) *
                          plan::k_tile_bytes;
    i32 score = 0;
    for (u32 byte = 0; byte < plan::head_dim_padded; byte += 4) {
        score = dot4_s8(load_shared_u32(query_address(shared, row, byte)),
                        load_global_u32(tile + int8_offset<plan::tile_k>(key_row, byte)), score);
    }
    const f32 key_scale = bits_to_f32(
        load_global_u32(tile + plan::tile_k * plan::head_dim_padded + 4 * (key_row % 8 / 2)));
    const f32 factor = max_f32(load_shared_f32(kept_row(shared, row)) * key_scale, kSmallestFactor);
    return exp2_approx(
        fma_rn(static_cast<f32>(score), factor, load_shared_f32(kept_row(shared, row) + 4)));
}

__device__ __forceinline__ f32 sum_over_warp(f32 value) {
#pragma unroll
    for (int step = 1; step < static_cast<int>(kWarpLanes); step *= 2) {
        value += shuffle_xor_f32(value, step);
    }
    return value;
}

// Eight channels of one row.
__device__ __forceinline__ void repair_chunk(const Call& call, const TilePosition& position,
                                             u32 shared, u32 row, i32 limit, u32 channel,
                                             u16* destination) {
    const Heads heads = heads_of(call, position.q_row);
    const u16* values = head_base(call.v, heads.batch, heads.head_kv) + channel;
    f32 sums[8] = {};
    f32 total = 0.0f;
#pragma unroll 1
    for (i32 key = lane_index(); key < limit; key += kWarpLanes) {
        const f32 p = probability(call, position, shared, row, key);
        u32 pairs[4];
        load_eight(pairs, values + token_offset(call.v, key), call.v.vector_access != 0);
        total += p;
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            sums[i] = fma_rn(p, value_to_f32(nth_of_eight(pairs, i)), sums[i]);
        }
    }
    const f32 inverse = 1.0f / sum_over_warp(total);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
        const f32 value = sum_over_warp(sums[i]) * inverse;
        if (lane_index() == 0) destination[i] = static_cast<u16>(output_pair(value, value));
    }
}

__device__ __forceinline__ void repair_output(const Call& call, const TilePosition& position,
                                              u32 shared) {
    warp_barrier();
    const Heads heads = heads_of(call, position.q_row);
    u16* head = static_cast<u16*>(call.o.data) + heads.batch * call.o.stride_batch +
                heads.head_q * call.o.stride_head;
#pragma unroll 1
    for (u32 i = 0; i < plan::warp_q; ++i) {
        const u32 row = warp_index() * plan::warp_q + i;
        const i32 query = position.first_query + static_cast<i32>(row);
        // A row of NaN because of its query or a key stays as it is: its offset says so.
        if (query >= call.len_q || load_shared_f32(kept_row(shared, row) + 4) == kNoReference) {
            continue;
        }
        u16* written = head + token_offset(call.o, query);
#pragma unroll 1
        for (u32 channel = 0; channel < plan::head_dim_v; channel += 8) {
            const bool bad = !output_is_finite(written[channel + lane_index() % 8]);
            if (vote_any(bad)) {
                warp_barrier();  // before lane 0 writes what the others read
                repair_chunk(call, position, shared, row, row_limit(call, query), channel,
                             written + channel);
            }
        }
    }
}
