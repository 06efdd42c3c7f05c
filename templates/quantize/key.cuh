// Quantizes one tile of keys, and notes the first key that holds NaN or Inf.
__device__ __forceinline__ void quantize_key_tile(const Call& call, i32 kv_row, i32 tile_index,
                                                  u32 shared) {
    using Rows = TileRows<plan::tile_k, plan::quant_threads>;
    const u32 groups = shared + kMeanBytes;
    const u32 bad_word = groups + 4 * kKeyGroups;
    const i32 first = tile_index * plan::tile_k;
    Rows tile;
    f32 mean[8];
    read_key_tile(call, kv_row, tile_index, tile, mean, shared, groups);
    replace_amax(call.k_amax + static_cast<u64>(kv_row) * call.k_tiles, call.k_tiles, groups);
    const u64 tile_row = static_cast<u64>(kv_row) * call.k_tiles + tile_index;
    i8* destination = call.k_int8 + tile_row * plan::k_tile_bytes;
    write_rows<false>(tile, call.len_k - first, mean, 1.0f, groups,
                      [destination](u32 row, u32 channel, const u32(&bytes)[2]) {
                          store_global_u32x2(destination + key_offset(row, channel), bytes);
                      });
#pragma unroll
    for (int pass = 0; pass < Rows::kPasses; ++pass) {
        if ((tile.bad_passes >> pass & 1) != 0 && Rows::lane() == 0) {
            atomic_max_shared(bad_word, static_cast<u32>(kNoBadKey - (first + Rows::row(pass))));
        }
    }
    cta_barrier();
    f32* meta = call.k_meta + tile_row * (plan::k_meta_bytes / 4);
    for (u32 slot = thread_index(); slot < plan::k_meta_words; slot += plan::quant_threads) {
        if (slot < plan::k_scales_per_tile) {
            meta[slot] = div_rn(group_amax(groups, key_group_of_scale(slot)), 127.0f);
        } else {
            // A distance of 0 from kNoBadKey means that there is none.
            meta[slot] = bits_to_f32(kNoBadKey - load_shared_u32(bad_word));
        }
    }
}
