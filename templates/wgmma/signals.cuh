// Key and value tiles on their way: four mbarriers a stage say that K or V has arrived and that
// every warp has read it. One warp of its own issues all copies, as soon as there is room. Tiles
// are counted from the CTA's first one on: its next query tile's keys follow without a gap.

enum class Signal { kKeysArrived, kValuesArrived, kKeysRead, kValuesRead };

__device__ __forceinline__ u32 stage_base(u32 shared, u32 slot) {
    return shared + slot % plan::stages * plan::stage_bytes;
}

__device__ __forceinline__ u32 barrier_of(u32 shared, Signal signal, u32 slot) {
    return shared + plan::barrier_offset +
           8 * (static_cast<u32>(signal) * plan::stages + slot % plan::stages);
}

// The phase of a tile's barriers: it flips each time the stage comes round.
__device__ __forceinline__ u32 phase_of(u32 slot) { return slot / plan::stages & 1; }

__device__ __forceinline__ void wait_for(u32 shared, Signal signal, u32 slot) {
    mbarrier_wait(barrier_of(shared, signal, slot), phase_of(slot));
}

// One answer for the whole warp: lanes that went different ways would lose count of the phases.
__device__ __forceinline__ bool has_happened(u32 shared, Signal signal, u32 slot) {
    return !vote_any(!mbarrier_test(barrier_of(shared, signal, slot), phase_of(slot)));
}
