// Thread and CTA indices, barriers, warp exchange.
#include "instructions.h"

namespace sagejit {
namespace {

constexpr Instruction kRows[] = {
    {"thread_index",
     R"(__device__ __forceinline__ u32 thread_index() { return threadIdx.x; }
)",
     R"(inline u32 thread_index() { return host_api->thread_index(); }
)"},
    {"cta_index",
     R"(__device__ __forceinline__ u32 cta_index() { return blockIdx.x; }
)",
     R"(inline u32 cta_index() { return host_api->cta_index(); }
)"},
    {"cta_count",
     R"(__device__ __forceinline__ u32 cta_count() { return gridDim.x; }
)",
     R"(inline u32 cta_count() { return host_api->cta_count(); }
)"},
    {"cta_barrier",
     R"(__device__ __forceinline__ void cta_barrier() { __syncthreads(); }
)",
     R"(inline void cta_barrier() { host_api->cta_barrier(); }
)"},
    {"cluster_rank",
     R"(// The CTA's place in its cluster, from 0.
__device__ __forceinline__ u32 cluster_rank() {
    u32 rank;
    asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
}
)",
     R"(// The CTA's place in its cluster, from 0.
inline u32 cluster_rank() { return host_api->cluster_rank(); }
)"},
    {"cluster_size",
     R"(// CTAs of the cluster.
__device__ __forceinline__ u32 cluster_size() {
    u32 size;
    asm("mov.u32 %0, %%cluster_nctarank;" : "=r"(size));
    return size;
}
)",
     R"(// CTAs of the cluster.
inline u32 cluster_size() { return host_api->cluster_size(); }
)"},
    {"cluster_arrive",
     R"(// All threads of a cluster that have not exited arrive, in whole warps; what each did before
// happens before what any does after its cluster_wait.
__device__ __forceinline__ void cluster_arrive() {
    asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
}
)",
     R"(// All threads of a cluster that have not exited arrive, in whole warps; what each did before
// happens before what any does after its cluster_wait.
inline void cluster_arrive() { host_api->cluster_barrier(0); }
)"},
    {"cluster_wait",
     R"(__device__ __forceinline__ void cluster_wait() {
    asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}
)",
     R"(inline void cluster_wait() { host_api->cluster_barrier(1); }
)"},
    {"peer_address",
     R"(// What stands for a shared address in the CTA of that rank, where an instruction takes such.
__device__ __forceinline__ u32 peer_address(u32 address, u32 rank) {
    u32 result;
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(result) : "r"(address), "r"(rank));
    return result;
}
)",
     R"(// What stands for a shared address in the CTA of that rank, where an instruction takes such.
inline u32 peer_address(u32 address, u32 rank) { return host_api->peer_address(address, rank); }
)"},
    {"warp_barrier",
     R"(__device__ __forceinline__ void warp_barrier() { __syncwarp(); }
)",
     R"(inline void warp_barrier() { host_api->warp_barrier(); }
)"},
    {"elect_lane",
     R"(// Whether this is the one lane that the warp elects. Of what stands behind it ptxas knows that one
// lane executes it: copies that the whole warp might issue it spells as loops over its lanes.
__device__ __forceinline__ bool elect_lane() {
    u32 elected;
    asm volatile(
        "{\n\t.reg .pred elected;\n\telect.sync _|elected, 0xFFFFFFFF;\n\t"
        "selp.u32 %0, 1, 0, elected;\n\t}"
        : "=r"(elected));
    return elected != 0;
}
)",
     R"(// Whether this is the one lane that the warp elects.
inline bool elect_lane() { return host_api->thread_index() % 32 == 0; }
)"},
    {"warp_uniform",
     R"(// The value, which is the same in all lanes of the warp, as one the compiler knows to be so.
__device__ __forceinline__ u32 warp_uniform(u32 value) {
    return __shfl_sync(0xFFFFFFFFu, value, 0);
}
)",
     R"(// The value, which is the same in all lanes of the warp, as one the compiler knows to be so.
inline u32 warp_uniform(u32 value) {
    host_api->vote_any(0);  // all lanes have to come here
    return value;
}
)"},
    {"vote_any",
     R"(__device__ __forceinline__ bool vote_any(bool predicate) {
    return __any_sync(0xFFFFFFFFu, predicate) != 0;
}
)",
     R"(inline bool vote_any(bool predicate) { return host_api->vote_any(predicate) != 0; }
)"},
    {"shuffle_xor_u32",
     R"(__device__ __forceinline__ u32 shuffle_xor_u32(u32 value, u32 lane_mask) {
    return __shfl_xor_sync(0xFFFFFFFFu, value, lane_mask);
}
)",
     R"(inline u32 shuffle_xor_u32(u32 value, u32 lane_mask) {
    return host_api->shuffle_xor(value, lane_mask);
}
)"},
    {"shuffle_xor_f32",
     R"(__device__ __forceinline__ f32 shuffle_xor_f32(f32 value, u32 lane_mask) {
    return __shfl_xor_sync(0xFFFFFFFFu, value, lane_mask);
}
)",
     R"(inline f32 shuffle_xor_f32(f32 value, u32 lane_mask) {
    return __builtin_bit_cast(f32,
                              host_api->shuffle_xor(__builtin_bit_cast(u32, value), lane_mask));
}
)"},
};

}  // namespace

std::span<const Instruction> index_instructions() { return kRows; }

}  // namespace sagejit
