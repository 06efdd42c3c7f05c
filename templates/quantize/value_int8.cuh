// V to int8 with a scale per channel, transposed to [channel, token]. Inside every 16 tokens,
// position 4q + 2i + e holds token 8i + 2q + e, so that the attention kernel's score registers are
// the A operand of P V without a shuffle.
__device__ __forceinline__ u32 permuted_position(u32 token) {
    return token / 16 * 16 + token % 8 / 2 * 4 + token / 8 % 2 * 2 + token % 2;
}

__device__ __forceinline__ void quantize_value_tile(const Call& call, i32 kv_row, i32 tile_index,
                                                    u32 shared) {
    constexpr u32 kChannels = plan::head_dim_v_padded;
    constexpr u32 kPitch = plan::tile_k + 16;  // bytes per channel of the transposed tile
    const u32 transposed = shared + 4 * kChannels;
    for (u32 channel = thread_index(); channel < kChannels; channel += plan::quant_threads) {
        u32 amax_bits = 0;
        i32 first_bad = kNoBadKey;
        for (i32 chunk = 0; chunk < call.chunks; ++chunk) {
            const u64 index =
                (static_cast<u64>(kv_row) * call.chunks + chunk) * kChannels + channel;
            const u32 bits = f32_to_bits(call.v_amax[index]);
            amax_bits = bits > amax_bits ? bits : amax_bits;
            const i32 bad = call.v_chunk_bad[index];
            first_bad = bad < first_bad ? bad : first_bad;
        }
        const f32 amax = max_f32(bits_to_f32(amax_bits), kAmaxFloor);
        store_shared_f32(shared + 4 * channel, div_rn(127.0f, amax));
        if (tile_index == 0) {
            const u64 index = static_cast<u64>(kv_row) * kChannels + channel;
            call.v_scale[index] = div_rn(amax, 127.0f);
            call.v_first_bad[index] = first_bad;
        }
    }
    cta_barrier();
    constexpr int kRows = plan::quant_threads / plan::quant_lanes_v;
    const u32 lane = thread_index() % plan::quant_lanes_v;
    const u16* base = head_base(call.v, kv_row / call.heads_kv, kv_row % call.heads_kv);
    if (lane * 8 < kChannels) {
        for (u32 row = thread_index() / plan::quant_lanes_v; row < plan::tile_k; row += kRows) {
            const i32 token = tile_index * plan::tile_k + static_cast<i32>(row);
            u32 pairs[4] = {0, 0, 0, 0};
            if (token < call.len_k && lane * 8 < plan::head_dim_v) {
                load_eight(pairs, base + token_offset(call.v, token) + 8 * lane,
                           call.v.vector_access != 0);
            }
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                const u32 channel = 8 * lane + i;
                const u16 bits = nth_of_eight(pairs, i);
                const f32 scaled =
                    mul_rn(input_to_f32(bits), load_shared_f32(shared + 4 * channel));
                const i32 value = input_is_finite(bits) ? f32_to_s8(scaled) : 0;
                store_shared_u8(transposed + channel * kPitch + permuted_position(row),
                                static_cast<u8>(value));
            }
        }
    }
    cta_barrier();
    constexpr u32 kChunks = plan::tile_k / 16;
    const u64 channel_bytes = static_cast<u64>(call.k_tiles) * plan::tile_k;
    u8* destination = call.v_work + static_cast<u64>(kv_row) * kChannels * channel_bytes +
                      static_cast<u64>(tile_index) * plan::tile_k;
    for (u32 i = thread_index(); i < kChannels * kChunks; i += plan::quant_threads) {
        u32 bytes[4];
        load_shared_u32x4(bytes, transposed + i / kChunks * kPitch + i % kChunks * 16);
        store_global_u32x4(destination + i / kChunks * channel_bytes + i % kChunks * 16, bytes);
    }
}
