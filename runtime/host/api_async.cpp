// What a kernel for sm_90 calls. Each function runs on the fiber of the lane that called it.
#include "host/api_async.h"

#include "host/machine.h"
#include "host/sanitizers.h"

namespace sagejit::host::async_api {
namespace {

constexpr u32 kBulkAlignment = 16;
constexpr u32 kTensorAlignment = 128;

BulkCopy range_copy(const char* operation, void* caller, u32 destination, const void* source,
                    u32 bytes) {
    BulkCopy copy;
    copy.operation = operation;
    copy.caller = caller;
    copy.base = reinterpret_cast<std::uintptr_t>(source);
    copy.address = destination;
    copy.sizes[0] = copy.box[0] = bytes;
    for (int i = 1; i < 4; ++i) copy.sizes[i] = copy.box[i] = 1;
    return copy;
}

BulkCopy box_copy(const char* operation, void* caller, u32 destination, const abi::TensorMap& map,
                  const i32* coordinates) {
    BulkCopy copy;
    copy.operation = operation;
    copy.caller = caller;
    copy.address = destination;
    for (int i = 0; i < 4; ++i) copy.first[i] = coordinates[i];
    if (!decode_tensor_map(map, copy)) {
        current_machine->fail_rule(operation, destination, "what it was given is no tensor map");
    }
    return copy;
}

}  // namespace

void mbarrier_init(u32 address, u32 arrivals) {
    current_machine->init_mbarrier(address, arrivals, __builtin_return_address(0));
}

void mbarrier_init_fence() { current_machine->show_mbarriers(); }

void mbarrier_arrive(u32 address, u32 bytes) {
    current_machine->arrive_mbarrier(address, bytes, __builtin_return_address(0));
}
u32 mbarrier_try_wait(u32 address, u32 parity) {
    return current_machine->try_wait_mbarrier(address, parity, __builtin_return_address(0));
}
void mbarrier_wait(u32 address, u32 parity) {
    current_machine->wait_mbarrier(address, parity, false, __builtin_return_address(0));
}

void fence_async_shared() { current_machine->fence_stores(); }

void copy_bulk(u32 destination, const void* source, u32 bytes, u32 barrier) {
    BulkCopy copy =
        range_copy("copy_bulk", __builtin_return_address(0), destination, source, bytes);
    current_machine->issue_bulk_copy(copy, kBulkAlignment, barrier);
}
void copy_bulk_multicast(u32 destination, const void* source, u32 bytes, u32 barrier, u32 ctas) {
    BulkCopy copy =
        range_copy("copy_bulk_multicast", __builtin_return_address(0), destination, source, bytes);
    current_machine->issue_multicast_copy(copy, kBulkAlignment, barrier, ctas);
}

void copy_tensor_4d(u32 destination, const abi::TensorMap* map, const i32* coordinates,
                    u32 barrier) {
    BulkCopy copy =
        box_copy("copy_tensor_4d", __builtin_return_address(0), destination, *map, coordinates);
    current_machine->issue_bulk_copy(copy, kTensorAlignment, barrier);
}
void copy_tensor_4d_multicast(u32 destination, const abi::TensorMap* map, const i32* coordinates,
                              u32 barrier, u32 ctas) {
    BulkCopy copy = box_copy("copy_tensor_4d_multicast", __builtin_return_address(0), destination,
                             *map, coordinates);
    current_machine->issue_multicast_copy(copy, kTensorAlignment, barrier, ctas);
}

void prefetch_tensor_map(const abi::TensorMap* map) {
    BulkCopy copy;
    if (decode_tensor_map(*map, copy)) return;
    current_machine->fail_rule("prefetch_tensor_map", 0, "what it was given is no tensor map");
}

void cluster_barrier(u32 waits) {
    waits != 0 ? current_machine->cluster_wait() : current_machine->cluster_arrive();
}
u32 peer_address(u32 address, u32 rank) { return current_machine->peer_address(address, rank); }
void mbarrier_arrive_peer(u32 peer_address, u32 releases) {
    current_machine->arrive_peer_mbarrier(peer_address, releases != 0, __builtin_return_address(0));
}
void mbarrier_wait_cluster(u32 address, u32 parity) {
    current_machine->wait_mbarrier(address, parity, true, __builtin_return_address(0));
}

void named_barrier(u32 id, u32 threads, u32 waits) {
    current_machine->named_barrier(id, threads, waits != 0);
}
void set_max_registers(u32 count, u32 up) { current_machine->set_max_registers(count, up != 0); }

void wgmma(const abi::WgmmaOperation& operation) {
    current_machine->issue_wgmma(operation, __builtin_return_address(0));
}
void warpgroup_fence() { current_machine->fence_warpgroup(); }
void warpgroup_commit() { current_machine->commit_warpgroup(); }
void warpgroup_wait(u32 pending_groups) { current_machine->wait_warpgroup(pending_groups); }

}  // namespace sagejit::host::async_api
