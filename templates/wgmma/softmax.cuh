// Online softmax in base 2. The maximum of a lane's scores is taken among integers; only when a row
// outgrew its reference by more than the threshold does the warp take the branch that shuffles,
// moves the reference and has sums rescaled. So the common step has no shuffle and no rescale.

// The largest of a lane's scores in each of its rows, in two halves that are independent.
using Tops = i32[2][2];
__device__ __forceinline__ void find_tops(Tops& top, const Scores& scores) {
    constexpr int kHalf = kScoreRegisters / 2;
#pragma unroll
    for (int h = 0; h < 2; ++h) {
#pragma unroll
        for (int chain = 0; chain < 2; ++chain) {
            top[h][chain] = scores[chain * kHalf + 2 * h];
#pragma unroll
            for (int i = chain * kHalf + 2 * h; i < (chain + 1) * kHalf; i += 4) {
                top[h][chain] = max3_s32(top[h][chain], scores[i], scores[i + 1]);
            }
        }
    }
}

// In log2 units.
__device__ __forceinline__ f32 top_of(const Tops& top, int h, f32 factor) {
    const i32 larger = top[h][0] > top[h][1] ? top[h][0] : top[h][1];
    return fma_rn(bits_to_f32(larger), factor, -kScoreBias * factor);
}

// Among the four lanes of a row.
__device__ __forceinline__ f32 row_top(f32 lane_top) {
    const f32 top = max_f32(lane_top, shuffle_xor_f32(lane_top, 1));
    return max_f32(top, shuffle_xor_f32(top, 2));
}

// A row's largest probability becomes 2^reference_bits, unless it was less.
__device__ __forceinline__ void move_reference(RowState& rows, const f32 (&lane_top)[2],
                                               f32 reference_bits) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
        const f32 offset = min_f32(rows.offset[h], reference_bits - row_top(lane_top[h]));
        rows.shrink[h] = exp2_approx(offset - rows.offset[h]);
        rows.offset[h] = offset;
        shrink_sum(rows, h);
    }
}

// Exponents of 16 keys, score * factor + offset, in place. The bias comes off in the multiply-add.
// That rounds the exponent by at most 0.75 of one integer step of the scores, alike for all keys of
// a tile.
__device__ __forceinline__ void find_offsets(f32 (&offset)[2], f32 factor, const RowState& rows) {
#pragma unroll
    for (int h = 0; h < 2; ++h) offset[h] = fma_rn(-kScoreBias, factor, rows.offset[h]);
}

__device__ __forceinline__ void scale_scores(Scores& scores, int step, f32 factor,
                                             const f32 (&offset)[2]) {
#pragma unroll
    for (int i = 8 * step; i < 8 * step + 8; ++i) {
        const f32 exponent = fma_rn(bits_to_f32(scores[i]), factor, offset[i / 2 % 2]);
        scores[i] = static_cast<i32>(f32_to_bits(exponent));
    }
}

// Probabilities of 16 keys, in place.
__device__ __forceinline__ void exponentiate(Scores& scores, int step) {
#pragma unroll
    for (int i = 8 * step; i < 8 * step + 8; ++i) {
        scores[i] = static_cast<i32>(f32_to_bits(exp2_in_order(bits_to_f32(scores[i]))));
    }
}

// The same offsets, but not before the probabilities of 16 keys are there: left alone, the compiler
// issues all multiply-adds of a tile before its first exponential, and neither hides the other.
__device__ __forceinline__ void hold_offsets(f32 (&offset)[2], const Scores& scores, int step) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
        offset[h] = fma_rn(bits_to_f32(scores[8 * step + 5 + 2 * h]), 0.0f, offset[h]);
    }
}

// Moves the reference where a score outgrew it, and leaves probabilities of the first `early`
// 16-key steps. They are made with the old reference while the maximum is found, and again in the
// rare case that it moved: a score may have outgrown it by more than fp32 can hold.
template <int early>
__device__ __forceinline__ void update_reference(Scores& scores, f32 factor, RowState& rows) {
    Tops top;
    find_tops(top, scores);
    Scores made;
    const auto make_early = [&] {
        f32 offset[2];
        find_offsets(offset, factor, rows);
#pragma unroll
        for (int step = 0; step < early; ++step) {
#pragma unroll
            for (int i = 8 * step; i < 8 * step + 8; ++i) made[i] = scores[i];
            scale_scores(made, step, factor, offset);
            exponentiate(made, step);
        }
    };
    make_early();
    f32 lane_top[2];
    bool outgrown = false;
#pragma unroll
    for (int h = 0; h < 2; ++h) {
        lane_top[h] = top_of(top, h, factor);
        outgrown |= lane_top[h] + rows.offset[h] > plan::rescale_threshold;
    }
    rows.moved = vote_any(outgrown);
    if (rows.moved) {
        move_reference(rows, lane_top, plan::reference_bits);
        make_early();
    }
#pragma unroll
    for (int i = 0; i < 8 * early; ++i) scores[i] = made[i];
}

// Packs them, and clears their scores for the next tile: moves that hide among exponentials.
__device__ __forceinline__ void pack(Probabilities& p, Scores& scores, int step, RowState& rows) {
    pack_step(p, scores, step);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const int first = 8 * step + 2 * i;
        add_to_sum(rows, i % 2, bits_to_f32(scores[first]), bits_to_f32(scores[first + 1]));
        scores[first] = move_in_order(kScoreBiasBits);
        scores[first + 1] = move_in_order(kScoreBiasBits);
    }
}

__device__ __forceinline__ void rescale(Output& output, RowState& rows) {
#pragma unroll
    for (int i = 0; i < kOutputRegisters; ++i) output[i] *= rows.shrink[i / 2 % 2];
}

// Scores of keys at or past a row's limit become -inf: ragged tails and causal masks alike.
__device__ __forceinline__ void mask_scores(Scores& scores, const Call& call,
                                            const TilePosition& position, i32 first_key) {
    const i32 lane_key = first_key + 2 * static_cast<i32>(lane_index() % 4);
    const i32 limits[2] = {row_limit(call, query_of(position, 0)) - lane_key,
                           row_limit(call, query_of(position, 1)) - lane_key};
#pragma unroll
    for (int i = 0; i < kScoreRegisters; ++i) {
        if (i / 4 * 8 + i % 2 >= limits[i / 2 % 2]) {
            scores[i] = static_cast<i32>(kInfinityBits | 0x80000000u);
        }
    }
}
