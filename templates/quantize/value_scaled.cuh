// V from bf16 to fp16 without loss of range: each channel is multiplied by the power of two that
// brings its largest magnitude into [256, 512), undone after the product.
__device__ __forceinline__ void quantize_value_tile(const Call& call, i32 kv_row, i32 tile_index,
                                                    u32 shared) {
    constexpr u32 kChannels = plan::head_dim_v_padded;
    for (u32 channel = thread_index(); channel < kChannels; channel += plan::quant_threads) {
        u32 amax = 0;
        for (i32 chunk = 0; chunk < call.chunks; ++chunk) {
            const u64 index = (static_cast<u64>(kv_row) * call.chunks + chunk) * kChannels;
            const u32 bits = f32_to_bits(call.v_amax[index + channel]);
            amax = bits > amax ? bits : amax;
        }
        // amax lies in [2^(exponent - 127), 2^(exponent - 126)); the factor is 2^(135 - exponent),
        // kept inside the range where its inverse is a normal number too.
        const u32 exponent = amax >> 23;
        u32 factor = amax == 0 ? 127 : 262 - exponent;
        factor = factor > 253 ? 253 : factor;
        store_shared_u32(shared + 4 * channel, factor << 23);
        if (tile_index == 0) {
            call.v_scale[static_cast<u64>(kv_row) * kChannels + channel] =
                bits_to_f32((254 - factor) << 23);
        }
    }
    cta_barrier();
    constexpr int kRows = plan::quant_threads / plan::quant_lanes_v;
    const u32 lane = thread_index() % plan::quant_lanes_v;
    if (lane * 8 >= kChannels) return;
    const u16* base = head_base(call.v, kv_row / call.heads_kv, kv_row % call.heads_kv);
    const u64 tile_row = static_cast<u64>(kv_row) * call.k_tiles + tile_index;
    for (u32 row = thread_index() / plan::quant_lanes_v; row < plan::tile_k; row += kRows) {
        const i32 token = tile_index * plan::tile_k + static_cast<i32>(row);
        u32 pairs[4] = {0, 0, 0, 0};
        if (token < call.len_k && lane * 8 < plan::head_dim_v) {
            load_eight(pairs, base + token_offset(call.v, token) + 8 * lane,
                       call.v.vector_access != 0);
        }
        u32 scaled[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const u32 factors = shared + 4 * (8 * lane + 2 * i);
            scaled[i] = f32_to_f16x2(
                mul_rn(input_to_f32(nth_of_eight(pairs, 2 * i)), load_shared_f32(factors)),
                mul_rn(input_to_f32(nth_of_eight(pairs, 2 * i + 1)), load_shared_f32(factors + 4)));
        }
        store_global_u32x4(
            call.v_work + (tile_row * plan::tile_k + row) * plan::v_row_bytes + 16 * lane, scaled);
    }
}
