// What an output of e4m3 values is finished with, prepared in shared memory: of each two channels
// their scales and their means, with what rounding left of them, then the first key of the head
// with NaN or Inf in any channel.
__device__ __forceinline__ u32 value_terms(u32 block, u32 channel) {
    return block + plan::value_terms_offset + 8 * channel;
}
__device__ __forceinline__ u32 first_bad_value(u32 block) {
    return value_terms(block, plan::head_dim_v);
}

// By one warp.
__device__ __forceinline__ void prepare_terms(const Call& call, const TilePosition& position,
                                              u32 block) {
    const u64 row = static_cast<u64>(heads_of(call, position.q_row).kv_row) * plan::head_dim_v;
    const bool summed = call.len_k <= kResidueKeys;
    const f32 share = summed ? div_rn(1.0f / kResidueSteps, static_cast<f32>(call.len_k)) : 0.0f;
#pragma unroll 1
    for (u32 channel = 2 * lane_index(); channel < plan::head_dim_v; channel += 2 * kWarpLanes) {
        u32 scale[2], mean[2], residue[2];
        load_global_u32x2(scale, call.v_scale + row + channel);
        load_global_u32x2(mean, call.v_mean + row + channel);
        load_global_u32x2(residue, call.v_residue + row + channel);
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            const f32 left = mul_rn(static_cast<f32>(static_cast<i32>(residue[i])), share);
            mean[i] = f32_to_bits(fma_rn(left, bits_to_f32(scale[i]), bits_to_f32(mean[i])));
        }
        const u32 terms[4] = {scale[0], scale[1], mean[0], mean[1]};
        store_shared_u32x4(value_terms(block, channel), terms);
    }
    i32 first_bad = kNoBadKey;
#pragma unroll 1
    for (u32 channel = lane_index(); channel < plan::head_dim_v; channel += kWarpLanes) {
        const i32 key = call.v_first_bad[row + channel];
        first_bad = key < first_bad ? key : first_bad;
    }
#pragma unroll
    for (int step = 1; step < static_cast<int>(kWarpLanes); step *= 2) {
        const i32 other = static_cast<i32>(shuffle_xor_u32(static_cast<u32>(first_bad), step));
        first_bad = other < first_bad ? other : first_bad;
    }
    if (lane_index() == 0) store_shared_u32(first_bad_value(block), static_cast<u32>(first_bad));
}

// Scales, then means, of the two channels lane_channel + further.
__device__ __forceinline__ void load_terms(u32 (&terms)[4], const Call&, i32, u32 block,
                                           u32 lane_channel, int further) {
    load_shared_u32x4(terms, value_terms(block, lane_channel) + 8 * further);
}

// Whether any channel of the head has NaN or Inf in its first `limit` keys. The same for a warp.
__device__ __forceinline__ bool any_bad_value(const Call&, i32, u32 block, i32 limit) {
    return vote_any(static_cast<i32>(load_shared_u32(first_bad_value(block))) < limit);
}
