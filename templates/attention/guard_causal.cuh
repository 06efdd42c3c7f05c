// A causal tile holds keys that some rows must not see; a probability of 0 times a NaN or Inf
// value would still spoil them. When the output of a CTA is not finite, it is computed once more
// with this guard, which adds such values to the rows that do see them and clears them from the
// tile.

__device__ __forceinline__ bool value_is_finite(u32 bits) { return (bits & 0x7C00u) != 0x7C00u; }

// True for the whole CTA where any thread holds a value that is not finite. Clobbers shared
// memory.
__device__ __forceinline__ bool output_needs_guard(const Output& output, u32 shared) {
    f32 poison = 0.0f;  // NaN where a value is not finite
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int n = 0; n < kValueTiles; ++n) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                poison = fma_rn(output_value(output, m, n, i), 0.0f, poison);
            }
        }
    }
    const bool bad = poison != 0.0f;
    cta_barrier();
    if (thread_index() == 0) store_shared_u32(shared, 0);
    cta_barrier();
    if (bad) atomic_max_shared(shared, 1);
    cta_barrier();
    const bool any = load_shared_u32(shared) != 0;
    cta_barrier();
    return any;
}

__device__ __forceinline__ void guard_values(Output& output, const Call& call,
                                             const TilePosition& position, i32 first_key,
                                             u32 stage) {
    const u32 lane = thread_index() % kWarpLanes;
#pragma unroll 1
    for (i32 token = 0; token < plan::tile_k; ++token) {
#pragma unroll
        for (int n = 0; n < kValueTiles; ++n) {
            const u32 pair =
                load_shared_u32(stage + plan::v_offset + v_chunk_offset(token, n) + 4 * (lane % 4));
            const u16 low = static_cast<u16>(pair);
            const u16 high = static_cast<u16>(pair >> 16);
            if (value_is_finite(low) && value_is_finite(high)) continue;
            const f32 values[2] = {value_is_finite(low) ? 0.0f : f16_to_f32(low),
                                   value_is_finite(high) ? 0.0f : f16_to_f32(high)};
#pragma unroll
            for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
                for (int h = 0; h < 2; ++h) {
                    if (first_key + token < row_limit(call, query_of(position, m, h))) {
                        add_to_output(output, m, n, h, values);
                    }
                }
            }
        }
    }
    cta_barrier();
    constexpr u32 kWords = plan::tile_k * plan::v_row_bytes / 4;
    for (u32 word = thread_index(); word < kWords; word += plan::threads) {
        const u32 address = stage + plan::v_offset + 4 * word;
        u32 pair = load_shared_u32(address);
        if (!value_is_finite(pair)) pair &= 0xFFFF0000u;
        if (!value_is_finite(pair >> 16)) pair &= 0x0000FFFFu;
        store_shared_u32(address, pair);
    }
    cta_barrier();
}
