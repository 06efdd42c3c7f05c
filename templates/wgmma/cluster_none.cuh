// A CTA brings its tiles alone.

// This warp has read its part of a stage.
__device__ __forceinline__ void signal_read(const Stage& stage) {
    if (lane_index() == 0) mbarrier_arrive(barrier_of(stage, Signal::kRead));
}

template <u32 bytes>
__device__ __forceinline__ void bring_bytes(u32 destination, const void* source, u32 barrier) {
    copy_bulk(destination, source, bytes, barrier);
}
// A panel of V: the channels from `channel` on of a tile's keys.
__device__ __forceinline__ void bring_panel(u32 destination, const Call& call, const Heads& heads,
                                            i32 channel, i32 key, u32 barrier) {
    copy_tensor_4d(destination, &call.v_map, channel, key, heads.head_kv, heads.batch, barrier);
}

// Once all that the CTA keeps in shared memory is there, barriers included.
__device__ __forceinline__ void start_together() { cta_barrier(); }
__device__ __forceinline__ void leave_together() {}
