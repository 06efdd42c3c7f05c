// sm_90: mbarriers, bulk and tensor-map copies, named barriers, wgmma groups (PTX ISA,
// "Asynchronous operations", "mbarrier", "Asynchronous Warpgroup Level Matrix Instructions").
#include "instructions.h"

namespace sagejit {
namespace {

constexpr Instruction kRows[] = {
    {"mbarrier_init",
     R"(// A phase ends when that many have arrived and all expected bytes have landed.
__device__ __forceinline__ void mbarrier_init(u32 address, u32 arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(address), "r"(arrivals)
                 : "memory");
}
)",
     R"(// A phase ends when that many have arrived and all expected bytes have landed.
inline void mbarrier_init(u32 address, u32 arrivals) { host_api->mbarrier_init(address, arrivals); }
)"},
    {"mbarrier_init_fence",
     R"(// Shows initialised barriers to asynchronous copies.
__device__ __forceinline__ void mbarrier_init_fence() {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
)",
     R"(// Shows initialised barriers to asynchronous copies.
inline void mbarrier_init_fence() { host_api->mbarrier_init_fence(); }
)"},
    {"mbarrier_arrive",
     R"(__device__ __forceinline__ void mbarrier_arrive(u32 address) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(address) : "memory");
}
)",
     R"(inline void mbarrier_arrive(u32 address) { host_api->mbarrier_arrive(address, 0); }
)"},
    {"mbarrier_arrive_expect",
     R"(// Arrives, and makes the phase wait for that many bytes of asynchronous copies.
__device__ __forceinline__ void mbarrier_arrive_expect(u32 address, u32 bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(address), "r"(bytes)
                 : "memory");
}
)",
     R"(// Arrives, and makes the phase wait for that many bytes of asynchronous copies.
inline void mbarrier_arrive_expect(u32 address, u32 bytes) {
    host_api->mbarrier_arrive(address, bytes);
}
)"},
    {"mbarrier_arrive_peer",
     R"(// The same at a barrier in any CTA of the cluster; takes a peer_address. For threads that have
// read: their writes it shows to nobody in another CTA.
__device__ __forceinline__ void mbarrier_arrive_peer(u32 address) {
    asm volatile("mbarrier.arrive.shared::cluster.b64 _, [%0];" ::"r"(address) : "memory");
}
)",
     R"(// The same at a barrier in any CTA of the cluster; takes a peer_address. For threads that have
// read: their writes it shows to nobody in another CTA.
inline void mbarrier_arrive_peer(u32 address) { host_api->mbarrier_arrive_peer(address, 0); }
)"},
    {"mbarrier_release_peer",
     R"(// The same, for threads that have written: costs a fence of the whole GPU.
__device__ __forceinline__ void mbarrier_release_peer(u32 address) {
    asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" ::"r"(address)
                 : "memory");
}
)",
     R"(// The same, for threads that have written: costs a fence of the whole GPU.
inline void mbarrier_release_peer(u32 address) { host_api->mbarrier_arrive_peer(address, 1); }
)"},
    {"mbarrier_try_wait",
     R"(// Whether the phase of that parity has ended; may say no when it has.
__device__ __forceinline__ bool mbarrier_try_wait(u32 address, u32 parity) {
    u32 ended;
    asm volatile(
        "{\n"
        ".reg .pred ended;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 ended, [%1], %2;\n"
        "selp.u32 %0, 1, 0, ended;\n"
        "}"
        : "=r"(ended)
        : "r"(address), "r"(parity)
        : "memory");
    return ended != 0;
}
)",
     R"(// Whether the phase of that parity has ended; may say no when it has.
inline bool mbarrier_try_wait(u32 address, u32 parity) {
    return host_api->mbarrier_try_wait(address, parity) != 0;
}
)"},
    {"mbarrier_test",
     R"(// Whether the phase of that parity has ended, without waiting; may say no when it has.
__device__ __forceinline__ bool mbarrier_test(u32 address, u32 parity) {
    u32 ended;
    asm volatile(
        "{\n"
        ".reg .pred ended;\n"
        "mbarrier.test_wait.parity.shared::cta.b64 ended, [%1], %2;\n"
        "selp.u32 %0, 1, 0, ended;\n"
        "}"
        : "=r"(ended)
        : "r"(address), "r"(parity)
        : "memory");
    return ended != 0;
}
)",
     R"(// Whether the phase of that parity has ended, without waiting; may say no when it has.
inline bool mbarrier_test(u32 address, u32 parity) {
    return host_api->mbarrier_try_wait(address, parity) != 0;
}
)"},
    {"mbarrier_wait",
     R"(// Waits until the phase of that parity has ended.
__device__ __forceinline__ void mbarrier_wait(u32 address, u32 parity) {
    while (!mbarrier_try_wait(address, parity)) {
    }
}
)",
     R"(// Waits until the phase of that parity has ended.
inline void mbarrier_wait(u32 address, u32 parity) { host_api->mbarrier_wait(address, parity); }
)"},
    {"mbarrier_wait_cluster",
     R"(// The same where threads of other CTAs arrive by mbarrier_release_peer.
__device__ __forceinline__ void mbarrier_wait_cluster(u32 address, u32 parity) {
    u32 ended;
    do {
        asm volatile(
            "{\n"
            ".reg .pred ended;\n"
            "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 ended, [%1], %2;\n"
            "selp.u32 %0, 1, 0, ended;\n"
            "}"
            : "=r"(ended)
            : "r"(address), "r"(parity)
            : "memory");
    } while (ended == 0);
}
)",
     R"(// The same where threads of other CTAs arrive by mbarrier_release_peer.
inline void mbarrier_wait_cluster(u32 address, u32 parity) {
    host_api->mbarrier_wait_cluster(address, parity);
}
)"},
    {"mbarrier_spin",
     R"(// The same where no instruction waits (before sm_90).
__device__ __forceinline__ void mbarrier_spin(u32 address, u32 parity) {
    while (!mbarrier_test(address, parity)) {
    }
}
)",
     R"(// The same where no instruction waits (before sm_90).
inline void mbarrier_spin(u32 address, u32 parity) { host_api->mbarrier_wait(address, parity); }
)"},
    {"fence_async_shared",
     R"(// Shows this thread's stores to shared memory to wgmma and asynchronous copies.
__device__ __forceinline__ void fence_async_shared() {
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
)",
     R"(// Shows this thread's stores to shared memory to wgmma and asynchronous copies.
inline void fence_async_shared() { host_api->fence_async_shared(); }
)"},
    {"copy_bulk",
     R"(// Copies bytes (addresses and size multiples of 16) and counts them on the barrier.
__device__ __forceinline__ void copy_bulk(u32 destination, const void* source, u32 bytes,
                                          u32 barrier) {
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
        "[%0], [%1], %2, [%3];" ::"r"(destination),
        "l"(__cvta_generic_to_global(source)), "r"(bytes), "r"(barrier)
        : "memory");
}
)",
     R"(// Copies bytes (addresses and size multiples of 16) and counts them on the barrier.
inline void copy_bulk(u32 destination, const void* source, u32 bytes, u32 barrier) {
    host_api->copy_bulk(destination, source, bytes, barrier);
}
)"},
    {"copy_tensor_4d",
     R"(// Copies the map's box at those coordinates, zeros outside the tensor, and counts its bytes.
__device__ __forceinline__ void copy_tensor_4d(u32 destination, const TensorMap* map, i32 c0,
                                               i32 c1, i32 c2, i32 c3, u32 barrier) {
    asm volatile(
        "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
        "[%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(destination),
        "l"(map), "r"(barrier), "r"(c0), "r"(c1), "r"(c2), "r"(c3)
        : "memory");
}
)",
     R"(// Copies the map's box at those coordinates, zeros outside the tensor, and counts its bytes.
inline void copy_tensor_4d(u32 destination, const TensorMap* map, i32 c0, i32 c1, i32 c2, i32 c3,
                           u32 barrier) {
    const i32 coordinates[4] = {c0, c1, c2, c3};
    host_api->copy_tensor_4d(destination, map, coordinates, barrier);
}
)"},
    {"copy_bulk_multicast",
     R"(// copy_bulk into several CTAs of the cluster, a bit of `ctas` each: to the same shared address of
// each, counted on the barrier at the same address there.
__device__ __forceinline__ void copy_bulk_multicast(u32 destination, const void* source, u32 bytes,
                                                    u32 barrier, u32 ctas) {
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
        "[%0], [%1], %2, [%3], %4;" ::"r"(destination),
        "l"(__cvta_generic_to_global(source)), "r"(bytes), "r"(barrier),
        "h"(static_cast<u16>(ctas))
        : "memory");
}
)",
     R"(// copy_bulk into several CTAs of the cluster, a bit of `ctas` each: to the same shared address of
// each, counted on the barrier at the same address there.
inline void copy_bulk_multicast(u32 destination, const void* source, u32 bytes, u32 barrier,
                                u32 ctas) {
    host_api->copy_bulk_multicast(destination, source, bytes, barrier, ctas);
}
)"},
    {"copy_tensor_4d_multicast",
     R"(// copy_tensor_4d likewise.
__device__ __forceinline__ void copy_tensor_4d_multicast(u32 destination, const TensorMap* map,
                                                         i32 c0, i32 c1, i32 c2, i32 c3,
                                                         u32 barrier, u32 ctas) {
    asm volatile(
        "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
        ".multicast::cluster [%0], [%1, {%3, %4, %5, %6}], [%2], %7;" ::"r"(destination),
        "l"(map), "r"(barrier), "r"(c0), "r"(c1), "r"(c2), "r"(c3), "h"(static_cast<u16>(ctas))
        : "memory");
}
)",
     R"(// copy_tensor_4d likewise.
inline void copy_tensor_4d_multicast(u32 destination, const TensorMap* map, i32 c0, i32 c1, i32 c2,
                                     i32 c3, u32 barrier, u32 ctas) {
    const i32 coordinates[4] = {c0, c1, c2, c3};
    host_api->copy_tensor_4d_multicast(destination, map, coordinates, barrier, ctas);
}
)"},
    {"prefetch_tensor_map",
     R"(__device__ __forceinline__ void prefetch_tensor_map(const TensorMap* map) {
    asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}
)",
     R"(inline void prefetch_tensor_map(const TensorMap* map) { host_api->prefetch_tensor_map(map); }
)"},
    {"named_barrier_sync",
     R"(// Waits for that many threads, in whole warps, at barrier 1 to 15, arrivals included.
__device__ __forceinline__ void named_barrier_sync(u32 id, u32 threads) {
    asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
)",
     R"(// Waits for that many threads, in whole warps, at barrier 1 to 15, arrivals included.
inline void named_barrier_sync(u32 id, u32 threads) { host_api->named_barrier(id, threads, 1); }
)"},
    {"named_barrier_arrive",
     R"(// Arrives there without waiting.
__device__ __forceinline__ void named_barrier_arrive(u32 id, u32 threads) {
    asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
)",
     R"(// Arrives there without waiting.
inline void named_barrier_arrive(u32 id, u32 threads) { host_api->named_barrier(id, threads, 0); }
)"},
    {"grid_dependency_wait",
     R"(// Waits for the launch before this one, where the two may overlap.
__device__ __forceinline__ void grid_dependency_wait() {
    asm volatile("griddepcontrol.wait;" ::: "memory");
}
)",
     R"(// Waits for the launch before this one, where the two may overlap.
inline void grid_dependency_wait() {}
)"},
    {"grid_dependency_launch",
     R"(// Lets the launch after this one begin.
__device__ __forceinline__ void grid_dependency_launch() {
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
}
)",
     R"(// Lets the launch after this one begin.
inline void grid_dependency_launch() {}
)"},
    {"set_max_registers_up",
     R"(// Registers per thread of a whole warpgroup: a multiple of 8, 24 to 256, no fewer than before.
template <int count>
__device__ __forceinline__ void set_max_registers_up() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
}
)",
     R"(// Registers per thread of a whole warpgroup: a multiple of 8, 24 to 256, no fewer than before.
template <int count>
inline void set_max_registers_up() {
    host_api->set_max_registers(count, 1);
}
)"},
    {"set_max_registers_down",
     R"(// The same, no more than before.
template <int count>
__device__ __forceinline__ void set_max_registers_down() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
}
)",
     R"(// The same, no more than before.
template <int count>
inline void set_max_registers_down() {
    host_api->set_max_registers(count, 0);
}
)"},
    {"warpgroup_fence",
     R"(// Orders accesses to registers before the wgmma that follow, which read or write them.
__device__ __forceinline__ void warpgroup_fence() {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
)",
     R"(// Orders accesses to registers before the wgmma that follow, which read or write them.
inline void warpgroup_fence() { host_api->warpgroup_fence(); }
)"},
    {"warpgroup_commit",
     R"(// Makes a group of the wgmma issued since the last one.
__device__ __forceinline__ void warpgroup_commit() {
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
)",
     R"(// Makes a group of the wgmma issued since the last one.
inline void warpgroup_commit() { host_api->warpgroup_commit(); }
)"},
    {"warpgroup_wait",
     R"(// Waits until at most `pending` groups are in flight.
template <int pending>
__device__ __forceinline__ void warpgroup_wait() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
}
)",
     R"(// Waits until at most `pending` groups are in flight.
template <int pending>
inline void warpgroup_wait() {
    host_api->warpgroup_wait(pending);
}
)"},
};

}  // namespace

std::span<const Instruction> async_instructions() { return kRows; }

}  // namespace sagejit
