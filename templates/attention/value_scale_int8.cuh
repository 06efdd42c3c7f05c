// V was quantized per channel; a channel is NaN for every row that sees its first bad key.
__device__ __forceinline__ void load_value_scales(f32 (&scales)[2], i32 (&first_bad)[2],
                                                  const Call& call, const TilePosition& position,
                                                  u32 channel) {
    const u64 index = static_cast<u64>(position.kv_row) * plan::head_dim_v_padded + channel;
    scales[0] = call.v_scale[index];
    scales[1] = call.v_scale[index + 1];
    first_bad[0] = call.v_first_bad[index];
    first_bad[1] = call.v_first_bad[index + 1];
}
