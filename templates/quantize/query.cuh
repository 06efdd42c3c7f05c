// Quantizes one tile of queries. logit_scale * log2(e) folds into the scales, so that the softmax
// works in base 2; its sign goes into the integers, so that scales are positive.
__device__ __forceinline__ void quantize_query_tile(const Call& call, i32 q_row, i32 tile_index,
                                                    u32 shared) {
    constexpr f32 kLog2E = 1.44269504f;
    using Rows = TileRows<plan::tile_q, plan::quant_threads>;
    const u32 groups = shared + kMeanBytes;
    Rows tile;
    prepare_lse_shift(call, kv_row_of(call, q_row), shared);
    read_query_tile(call, q_row, tile_index, tile, groups);
    replace_amax(call.q_amax + static_cast<u64>(q_row) * call.q_tiles, call.q_tiles, groups);

    const f32 no_mean[8] = {};
    const u64 tile_row = static_cast<u64>(q_row) * call.q_tiles + tile_index;
    const f32 sign = call.logit_scale < 0.0f ? -1.0f : 1.0f;
    i8* destination = call.q_int8 + tile_row * plan::tile_q * plan::head_dim_padded;
    write_rows<true>(tile, call.len_q - tile_index * plan::tile_q, no_mean, sign, groups,
                     [destination](u32 row, u32 channel, const u32(&bytes)[2]) {
                         store_global_u32x2(destination + row * plan::head_dim_padded + channel,
                                            bytes);
                     });
    const f32 fold = mul_rn(mul_rn(call.logit_scale, sign), kLog2E);
    for (u32 slot = thread_index(); slot < plan::q_scales_per_tile; slot += plan::quant_threads) {
        const f32 amax = group_amax(groups, query_group_of_scale(slot));
        call.q_scale[tile_row * plan::q_scales_per_tile + slot] =
            mul_rn(div_rn(amax, 127.0f), fold);
    }
#pragma unroll
    for (int pass = 0; pass < Rows::kPasses; ++pass) {
        f32 dot = 0.0f;
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            if (Rows::lane() * 8 < plan::head_dim_padded) {
                dot = fma_rn(input_to_f32(nth_of_eight(tile.pairs[pass], i)),
                             key_mean(shared, 8 * Rows::lane() + i), dot);
            }
        }
        if (Rows::in_tile(pass)) {
            store_lse_shift(call, tile_row * plan::tile_q + Rows::row(pass), dot, Rows::lane());
        }
    }
}
