// lse[batch, head_q, query] = ln(sum over keys of e^logit), with what smoothing took added back.
__device__ __forceinline__ void store_lse(const Call& call, const TilePosition& position, i32 query,
                                          f32 offset, f32 sum, i32 limit, bool bad, f32 shift) {
    constexpr f32 kLn2 = 0.693147180559945f;
    f32 lse = (log2_approx(sum) - offset) * kLn2 + shift;
    if (limit == 0) lse = -bits_to_f32(kInfinityBits);
    if (bad) lse = bits_to_f32(kNanBits);
    call.lse[static_cast<u64>(position.q_row) * call.len_q + query] = lse;
}
