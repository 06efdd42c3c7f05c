// Bold steps make probabilities with the reference as it is, and ask afterwards whether a score
// outgrew it: in the words that P is packed in, which takes a quarter of the instructions that a
// maximum takes and keeps nothing waiting. Where one did, the warp computes the tile's scores once
// more, by itself, and moves the reference. That takes longer than a maximum, so a warpgroup is
// bold only where the first tile's scores lie close together (docs/decisions/0037).

constexpr int kSpreadKeys = plan::tile_k < 32 ? plan::tile_k : 32;

// How far a row's largest score is above the mean of its first keys, in log2 units. The lanes of a
// row have factors of their own.
__device__ __forceinline__ f32 spread_of(const Scores& scores, int h, f32 top, f32 factor) {
    u32 own = 0;  // their biases wrap around, and come off together
#pragma unroll
    for (int i = 2 * h; i < kSpreadKeys / 2; i += 4) {
        own += static_cast<u32>(scores[i]) + static_cast<u32>(scores[i + 1]);
    }
    own -= kSpreadKeys / 4 * kScoreBiasBits;
    f32 sum = mul_rn(static_cast<f32>(static_cast<i32>(own)), factor);
    sum = add_rn(sum, shuffle_xor_f32(sum, 1));
    sum = add_rn(sum, shuffle_xor_f32(sum, 2));
    return fma_rn(sum, -1.0f / kSpreadKeys, top);
}

// Whether no warp of the group found a row spread out.
__device__ __forceinline__ bool agree_to_be_bold(const Walk& walk, bool spread_out) {
    const u32 words = walk.block + plan::bold_offset + 16 * group_index();
    const u32 own = words + 4 * (warp_index() % 4);
    const u32 refuses = vote_any(spread_out);
    if (lane_index() == 0) store_shared_u32(own, refuses);
    named_barrier_sync(kComputeBarrier + 1 + group_index(), kGroupThreads);
    u32 all[4];
    load_shared_u32x4(all, words);
    return warp_uniform(all[0] | all[1] | all[2] | all[3]) == 0;
}

__device__ __forceinline__ void take_first_reference(const Walk& walk, Carried& carried,
                                                     f32 factor) {
    carried.bold = false;
    if (walk.unmasked < plan::bold_tiles) {
        update_reference<0>(carried.scores, factor, carried.rows);
        return;
    }
    Tops tops;
    find_tops(tops, carried.scores);
    f32 top[2];
    bool spread_out = false;
#pragma unroll
    for (int h = 0; h < 2; ++h) {
        top[h] = row_top(top_of(tops, h, factor));
        spread_out |= !(spread_of(carried.scores, h, top[h], factor) <= plan::bold_spread);
    }
    carried.bold = agree_to_be_bold(walk, spread_out);
#pragma unroll
    for (int h = 0; h < 2; ++h) {
        const f32 reference = carried.bold ? plan::bold_reference : plan::reference_bits;
        carried.rows.offset[h] = min_f32(carried.rows.offset[h], reference - top[h]);
    }
}

// S += Q K^T of this warp's rows by mma.sync, of keys that are still in their stage.
__device__ __forceinline__ void score_again(Scores& scores, const Walk& walk, u32 keys) {
#pragma unroll 1
    for (u32 step = 0; step < kHeadSteps; ++step) {
        const u32 byte = 32 * step + 4 * (lane_index() % 4);
        u32 query[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            query[i] = load_shared_u32(
                query_address(walk.block, lane_row() + i % 2 * 8, byte + i / 2 * 16));
        }
#pragma unroll
        for (int n = 0; n < plan::tile_k / 8; ++n) {
            const u32 row = 8 * n + lane_index() / 4;
            i32 sums[4];
#pragma unroll
            for (int i = 0; i < 4; ++i) sums[i] = scores[4 * n + i];
            mma_s8(sums, query, load_shared_u32(keys + int8_offset<plan::tile_k>(row, byte)),
                   load_shared_u32(keys + int8_offset<plan::tile_k>(row, byte + 16)));
#pragma unroll
            for (int i = 0; i < 4; ++i) scores[4 * n + i] = sums[i];
        }
    }
    warp_barrier();  // lane 0 will say for all that they have read the keys
}

// The probabilities of a tile, whose scores have been cleared since, with a new reference.
__device__ __forceinline__ void make_again(const Walk& walk, const Stage& stage, Probabilities& p,
                                           Carried& carried, f32 factor, Output& output) {
    score_again(carried.scores, walk, stage.base + plan::k_offset);
    Tops tops;
    find_tops(tops, carried.scores);
    const f32 lane_top[2] = {top_of(tops, 0, factor), top_of(tops, 1, factor)};
    move_reference(carried.rows, lane_top, plan::bold_reference);
    rescale(output, carried.rows);
    make_probabilities(p, carried, factor, 0);
}

// ptxas moves a wait for products to the start of its basic block, past exponentials that need not
// wait. This one starts a block by a branch that is never taken; with less in it there would be
// none, but predicates.
__device__ __forceinline__ void start_block(const Walk& walk) {
    if (walk.unmasked >= 0) return;
    store_shared_u32(walk.shared + 4 * lane_index(), 0);
    warp_barrier();
    store_shared_u32(walk.shared + 4 * (lane_index() ^ 1), 0);
}

__device__ __forceinline__ void do_bold_step(Walk& walk, Probabilities& p, Carried& carried,
                                             Output& output) {
    const f32 factor = start_step(walk, p, carried, output);
    if constexpr (plan::bold_waits_first) start_block(walk);
    warpgroup_wait<0>();
    collect_sums(output, carried.rows);
    // Its keys are wanted until P is known to be right.
    const Stage stage = walk.stage;
    advance(walk.stage, walk.shared);
    carried.arrived = has_arrived(walk.stage);
    const f32 sums[2] = {carried.rows.sum[0], carried.rows.sum[1]};
    make_probabilities(p, carried, factor, 0);
    if (vote_any(any_outgrown(p))) {
        carried.rows.sum[0] = sums[0];
        carried.rows.sum[1] = sums[1];
        make_again(walk, stage, p, carried, factor, output);
    }
    signal_read(stage);
}

// Steps up to `stop`, none of which has a key to mask.
__device__ __forceinline__ void walk_boldly(Walk& walk, i32& tile, i32 stop, Probabilities& p,
                                            Carried& carried, Output& output) {
#pragma unroll 1
    for (; tile < stop; ++tile) do_bold_step(walk, p, carried, output);
}
