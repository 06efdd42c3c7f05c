// lse[batch, head_q, query] = ln(sum over keys of e^logit).
__device__ __forceinline__ void store_lse(const Call& call, const TilePosition& position, i32 query,
                                          f32 reference, f32 sum, bool bad) {
    constexpr f32 kLn2 = 0.693147180559945f;
    f32 lse = (reference + log2_approx(sum) - kProbabilityShift) * kLn2;
    if (sum == 0.0f) lse = -bits_to_f32(kInfinityBits);
    if (bad) lse = bits_to_f32(kNanBits);
    call.lse[static_cast<u64>(position.q_row) * call.len_q + query] = lse;
}
