// V was scaled by a power of two per channel.
__device__ __forceinline__ void load_value_scales(f32 (&scales)[2], i32 (&first_bad)[2],
                                                  const Call& call, const TilePosition& position,
                                                  u32 channel) {
    const u64 index = static_cast<u64>(position.kv_row) * plan::head_dim_v_padded + channel;
    scales[0] = call.v_scale[index];
    scales[1] = call.v_scale[index + 1];
    first_bad[0] = first_bad[1] = kNoBadKey;
}
