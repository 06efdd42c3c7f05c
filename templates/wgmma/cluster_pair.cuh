// The two CTAs of a cluster walk the same key tiles for neighbouring query tiles. Each brings one
// half of every tile into the shared memory of both, once all warps of both have read what was
// there; the barrier of a stage expects the whole tile in each.
constexpr u32 kBothCtas = 3;

extern "C" __global__ void __cluster_dims__(plan::cluster_q, 1, 1)
    attention(const __grid_constant__ Call call);

// This warp has read its part of a stage: one lane tells either CTA.
__device__ __forceinline__ void signal_read(const Stage& stage) {
    if (lane_index() < plan::cluster_q) {
        mbarrier_arrive_peer(peer_address(barrier_of(stage, Signal::kRead), lane_index()));
    }
}

// Whole cache lines in either half, and in the second what is left.
template <u32 bytes>
__device__ __forceinline__ void bring_bytes(u32 destination, const void* source, u32 barrier) {
    constexpr u32 kHalf = bytes / 2 / 128 * 128;
    const u32 first = cluster_rank() * kHalf;
    copy_bulk_multicast(destination + first, static_cast<const u8*>(source) + first,
                        first == 0 ? kHalf : bytes - kHalf, barrier, kBothCtas);
}
// A panel of V: the channels from `channel` on of a tile's keys, of which a CTA brings one half.
__device__ __forceinline__ void bring_panel(u32 destination, const Call& call, const Heads& heads,
                                            i32 channel, i32 key, u32 barrier) {
    constexpr u32 kHalf = plan::tile_k / 2;
    const u32 first = cluster_rank() * kHalf;
    copy_tensor_4d_multicast(destination + first * kValuePanelBytes, &call.v_map, channel,
                             key + static_cast<i32>(first), heads.head_kv, heads.batch, barrier,
                             kBothCtas);
}

// Once all that either CTA keeps in shared memory is there, barriers included.
__device__ __forceinline__ void start_together() {
    cluster_arrive();
    cluster_wait();
}
// Until here the other CTA may tell this one what it has read.
__device__ __forceinline__ void leave_together() {
    cluster_arrive();
    cluster_wait();
}
