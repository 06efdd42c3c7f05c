// What an output of e4m3 values is finished with, where shared memory has no room for it.
__device__ __forceinline__ void prepare_terms(const Call&, const TilePosition&, u32) {}

// Scales, then means, of the two channels lane_channel + further.
__device__ __forceinline__ void load_terms(u32 (&terms)[4], const Call& call, i32 kv_row, u32,
                                           u32 lane_channel, int further) {
    const u64 first = static_cast<u64>(kv_row) * plan::head_dim_v + lane_channel;
    u32 scale[2], mean[2];
    load_global_u32x2(scale, call.v_scale + first + further);
    load_global_u32x2(mean, call.v_mean + first + further);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        terms[i] = scale[i];
        terms[2 + i] = mean[i];
    }
}

// Whether any channel of the head has NaN or Inf in its first `limit` keys. The same for a warp.
__device__ __forceinline__ bool any_bad_value(const Call& call, i32 kv_row, u32, i32 limit) {
    const i32* keys = call.v_first_bad + static_cast<u64>(kv_row) * plan::head_dim_v;
    bool bad = false;
#pragma unroll
    for (u32 channel = 0; channel < plan::head_dim_v; channel += kWarpLanes) {
        const u32 own = channel + lane_index();
        if (plan::head_dim_v % kWarpLanes == 0 || own < plan::head_dim_v) bad |= keys[own] < limit;
    }
    return vote_any(bad);
}
