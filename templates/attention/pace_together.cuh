// Warps go from turn to turn together: a barrier of the CTA says that a turn's stage has arrived
// and that the stage of the turn before may be refilled.
constexpr int kFirstCopies = plan::stages;  // before the first turn

__device__ __forceinline__ void init_pace(u32) {}

// The first stage has arrived.
__device__ __forceinline__ void wait_for_first() {
    cp_async_wait<plan::stages - 1>();
    cta_barrier();
}

__device__ __forceinline__ void start_turn(u32, i32) {
    cp_async_wait<plan::stages - 2>();
    cta_barrier();
}
