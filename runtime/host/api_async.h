// The functions of HostApi for sm_90 (api_async.cpp).
#pragma once

#include "call.h"

namespace sagejit::host::async_api {

using abi::i32, abi::u32;

void mbarrier_init(u32 address, u32 arrivals);
void mbarrier_init_fence();
void mbarrier_arrive(u32 address, u32 bytes);
u32 mbarrier_try_wait(u32 address, u32 parity);
void mbarrier_wait(u32 address, u32 parity);
void fence_async_shared();
void copy_bulk(u32 destination, const void* source, u32 bytes, u32 barrier);
void copy_tensor_4d(u32 destination, const abi::TensorMap* map, const i32* coordinates,
                    u32 barrier);
void prefetch_tensor_map(const abi::TensorMap* map);
void cluster_barrier(u32 waits);
u32 peer_address(u32 address, u32 rank);
void mbarrier_arrive_peer(u32 peer_address, u32 releases);
void mbarrier_wait_cluster(u32 address, u32 parity);
void copy_bulk_multicast(u32 destination, const void* source, u32 bytes, u32 barrier, u32 ctas);
void copy_tensor_4d_multicast(u32 destination, const abi::TensorMap* map, const i32* coordinates,
                              u32 barrier, u32 ctas);
void named_barrier(u32 id, u32 threads, u32 waits);
void set_max_registers(u32 count, u32 up);
void wgmma(const abi::WgmmaOperation& operation);
void warpgroup_fence();
void warpgroup_commit();
void warpgroup_wait(u32 pending_groups);

}  // namespace sagejit::host::async_api
