// V was quantized per channel; a channel is NaN for every row that sees its first bad key. Without
// keys nobody wrote the scales.
__device__ __forceinline__ void load_value_scales(f32 (&scales)[2], i32 (&first_bad)[2],
                                                  const Call& call, const TilePosition& position,
                                                  u32 channel) {
    const u64 index = static_cast<u64>(position.kv_row) * plan::head_dim_v_padded + channel;
#pragma unroll
    for (int e = 0; e < 2; ++e) {
        scales[e] = call.len_k > 0 ? call.v_scale[index + e] : 0.0f;
        first_bad[e] = call.len_k > 0 ? call.v_first_bad[index + e] : kNoBadKey;
    }
}
