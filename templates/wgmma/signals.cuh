// Key and value tiles on their way. A stage holds what one step reads: keys of a tile, and values
// of the tile before. Two mbarriers in it say that all of it has arrived and that every warp has
// read it. One warp of its own issues all copies, as soon as there is room. Stages go round from
// the CTA's first step on: its next query tile's keys follow without a gap.

enum class Signal : u32 { kArrived, kRead };

// A stage in shared memory, and the phase of its barriers: it flips each time the stage comes
// round.
struct Stage {
    u32 base;
    u32 phase;
};

__device__ __forceinline__ void advance(Stage& stage, u32 shared) {
    stage.base += plan::stage_bytes;
    if (stage.base == shared + plan::stages * plan::stage_bytes) {
        stage.base = shared;
        stage.phase ^= 1;
    }
}

__device__ __forceinline__ u32 barrier_of(const Stage& stage, Signal signal) {
    return stage.base + plan::barrier_offset + 8 * static_cast<u32>(signal);
}

__device__ __forceinline__ void wait_for_arrival(const Stage& stage) {
    mbarrier_wait(barrier_of(stage, Signal::kArrived), stage.phase);
}

// One answer for the whole warp: lanes that went different ways would lose count of the phases.
__device__ __forceinline__ bool has_arrived(const Stage& stage) {
    return !vote_any(!mbarrier_test(barrier_of(stage, Signal::kArrived), stage.phase));
}
