// Quantizes the CTA's queries into shared memory, as A operands of Q K^T: no quantized Q is kept
// in memory. The same arithmetic as the quantizer kernel's.
using QueryRows = TileRows<plan::tile_q, kComputeThreads>;

// Scratch of the prologue: a word per group of rows.
__device__ __forceinline__ u32 query_groups(u32 shared) {
    return shared + plan::barrier_offset + 32 * plan::stages;
}

__device__ __forceinline__ u32 query_address(u32 shared, u32 row, u32 byte) {
    return shared + plan::query_offset + row / kGroupRows * (kGroupRows * plan::head_dim_padded) +
           int8_offset<kGroupRows>(row % kGroupRows, byte);
}

// Returns the factor of this lane's rows: their scale with logit_scale * log2(e) in it, whose sign
// went into the integers.
__device__ __forceinline__ f32 quantize_query(const Call& call, const TilePosition& position,
                                              u32 shared) {
    constexpr f32 kLog2E = 1.44269504f;
    const f32 no_mean[8] = {};
    const u32 groups = query_groups(shared);
    const i32 valid = call.len_q - position.first_query;
    const f32 sign = call.logit_scale < 0.0f ? -1.0f : 1.0f;
    QueryRows rows;
    clear_groups<kComputeThreads>(groups, kQueryGroups);
    read_rows<true>(rows, call.q, head_base(call.q, position.batch, position.head_q),
                    position.first_query, valid, no_mean, groups);
    cta_barrier();
    write_rows<true>(rows, valid, no_mean, sign, groups,
                     [&](u32 row, u32 byte, const u32(&bytes)[2]) {
                         store_shared_u32x2(query_address(shared, row, byte), bytes);
                     });
    fence_async_shared();
    cta_barrier();
    const f32 fold = mul_rn(mul_rn(call.logit_scale, sign), kLog2E);
    const f32 amax = group_amax(groups, query_group(lane_row()));
    return mul_rn(div_rn(amax, 127.0f), fold);
}

// The copying warp's part in that: its barriers.
__device__ __forceinline__ void join_quantize_query() {
    fence_async_shared();
    for (int i = 0; i < 3; ++i) cta_barrier();
}

// Whether a query row held NaN or Inf: the quantizer marks its first byte.
__device__ __forceinline__ bool is_bad_query(u32 shared, u32 row) {
    return (load_shared_u32(query_address(shared, row, 0)) & 0xFFu) == kBadRowMarker;
}
