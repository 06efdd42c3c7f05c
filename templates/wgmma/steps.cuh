// Steps of a warpgroup over the key tiles. Step t issues S(t) = Q K(t)^T and O += P(t-1) V(t-1)
// together, and turns S(t) into P(t) while the tensor cores work on the second and for the other
// groups. P has one buffer: it is packed after the product that read it.

__device__ __forceinline__ f32 tile_factor(const Walk& walk, i32& first_bad_key) {
    // The bad key stands behind each scale: asked at one address, ptxas would move what it finds to
    // a uniform register, which takes its time.
    const u32 own = walk.stage.base + plan::meta_offset + 4 * (lane_index() % 4);
    const i32 bad = static_cast<i32>(load_shared_u32(own + 4 * plan::k_scales_per_tile));
    first_bad_key = bad < first_bad_key ? bad : first_bad_key;
    return max_f32(walk.query_factor * load_shared_f32(own), kSmallestFactor);
}

// Lower words of descriptors.
__device__ __forceinline__ u32 keys_of(const Stage& stage) {
    return descriptor_address(stage.base) + descriptor_low(kInt8Leading, plan::k_offset);
}
__device__ __forceinline__ u32 values_of(const Stage& stage) {
    return descriptor_address(stage.base) + descriptor_low(kValueLeading, plan::v_offset);
}

// What a warp carries from step to step.
struct Carried {
    Scores scores;  // cleared for the next step
    RowState rows;
    i32 first_bad_key;
    bool arrived;  // the next stage
    bool bold;     // tiles without a mask take bold steps (bold_steps.cuh)
};

// On to the next stage: this warp has read what is in this one.
__device__ __forceinline__ void leave_stage(Walk& walk) {
    signal_read(walk.stage);
    advance(walk.stage, walk.shared);
}

// The probabilities from 16-key step `first` on. Exponents are one step ahead, and packing is
// first + 1 steps behind, so that they hide among exponentials.
__device__ __forceinline__ void make_probabilities(Probabilities& p, Carried& carried, f32 factor,
                                                   int first) {
    f32 offset[2];
    find_offsets(offset, factor, carried.rows);
    scale_scores(carried.scores, first, factor, offset);
#pragma unroll
    for (int step = first; step < kKeySteps; ++step) {
        exponentiate(carried.scores, step);
        if (step + 1 < kKeySteps) {
            const int held = step + 1 - plan::scale_lead;
            if (plan::scale_lead > 0 && held >= first) hold_offsets(offset, carried.scores, held);
            scale_scores(carried.scores, step + 1, factor, offset);
        }
        if (step > first) pack(p, carried.scores, step - first - 1, carried.rows);
    }
#pragma unroll
    for (int step = kKeySteps - first - 1; step < kKeySteps; ++step) {
        pack(p, carried.scores, step, carried.rows);
    }
}

// Issues both products of a step, and waits for the scores. Returns the factor of the scores.
__device__ __forceinline__ f32 start_step(Walk& walk, const Probabilities& p, Carried& carried,
                                          Output& output) {
    if (!carried.arrived) wait_for_arrival(walk.stage);
    const f32 factor = tile_factor(walk, carried.first_bad_key);
    warpgroup_fence();
    start_qk(carried.scores, walk.query, keys_of(walk.stage));
    start_pv(output, p, values_of(walk.stage));
    warpgroup_wait<1>();
    return factor;
}

// Step `tile` > 0: p holds P of the tile before, and receives P of this one. ptxas puts the wait
// for P V at the start of its basic block, behind the branch in which the reference moves. It must
// not stand in that branch: all warps of the group have to execute it.
template <bool masked>
__device__ __forceinline__ void do_step(const Call& call, const TilePosition& position, Walk& walk,
                                        i32 tile, Probabilities& p, Carried& carried,
                                        Output& output) {
    const f32 factor = start_step(walk, p, carried, output);
    if constexpr (masked) mask_scores(carried.scores, call, position, tile * plan::tile_k);
    update_reference<plan::early_exp_steps>(carried.scores, factor, carried.rows);
    warpgroup_wait<0>();
    if (carried.rows.moved) rescale(output, carried.rows);
    leave_stage(walk);
    collect_sums(output, carried.rows);
    carried.arrived = has_arrived(walk.stage);
    make_probabilities(p, carried, factor, plan::early_exp_steps);
}
