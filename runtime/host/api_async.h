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
void named_barrier(u32 id, u32 threads, u32 waits);
void set_max_registers(u32 count, u32 up);
void wgmma(const abi::WgmmaOperation& operation);
void warpgroup_fence();
void warpgroup_commit();
void warpgroup_wait(u32 pending_groups);

}  // namespace sagejit::host::async_api
