// Warps may be a turn apart, so that some compute exponentials while others keep the tensor cores
// busy. A warp that starts turn t waits until all warps have started turn t - 1, and says that it
// starts t: its turn t - 1 is over, and its copies into the stage of turn t + 1 have arrived. So
// the stage of turn t has arrived, and that of turn t - 2 may be refilled.
static_assert(plan::stages >= 4, "read, read by slower warps, announced, on its way");
constexpr int kFirstCopies = plan::stages - 1;

__device__ __forceinline__ void init_pace(u32 shared) {
    if (thread_index() == 0) mbarrier_init(shared + plan::barrier_offset, plan::warps);
}

// The stages of the first two turns have arrived.
__device__ __forceinline__ void wait_for_first() {
    cp_async_wait<plan::stages - 3>();
    cta_barrier();
}

__device__ __forceinline__ void start_turn(u32 shared, i32 turn) {
    cp_async_wait<plan::stages - 4>();
    // Before the first turn this is the parity of a phase before the first one, which has passed.
    mbarrier_spin(shared + plan::barrier_offset, static_cast<u32>(turn + 1) & 1);
    // Once lane 0 has arrived, the phase after this one may pass: nobody may still wait for this.
    warp_barrier();
    if (thread_index() % kWarpLanes == 0) mbarrier_arrive(shared + plan::barrier_offset);
}
