// The device column of the sm_90a instructions compiles with NVRTC.
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "compile_cubin.h"
#include "configs.h"
#include "instructions.h"
#include "need_nvrtc.h"

using namespace sagejit;

namespace {

// Calls every row. v_map's address is that of the parameter itself.
constexpr const char* kKernel = R"(
extern "C" __global__ void __launch_bounds__(256, 1) kernel(const __grid_constant__ Call call) {
    const u32 barrier = shared_base(), data = shared_base() + 1024;
    if (thread_index() == 0) {
        prefetch_tensor_map(&call.v_map);
        mbarrier_init(barrier, 2);
        mbarrier_init_fence();
    }
    cta_barrier();
    set_max_registers_down<40>();
    set_max_registers_up<232>();
    grid_dependency_wait();
    if (thread_index() == 0) {
        mbarrier_arrive_expect(barrier, 1024 + 4096);
        copy_bulk(data, call.q.data, 1024, barrier);
        copy_tensor_4d(data + 1024, &call.v_map, 0, -1, 2, 3, barrier);
        mbarrier_arrive(barrier);
    }
    mbarrier_wait(barrier, 0);
    mbarrier_spin(barrier, 0);
    fence_async_shared();
    warpgroup_fence();
    warpgroup_commit();
    warpgroup_wait<1>();
    warpgroup_wait<0>();
    named_barrier_arrive(1, 256);
    named_barrier_sync(2, 128);
    grid_dependency_launch();
    cluster_arrive();
    cluster_wait();
    const u32 peer = peer_address(barrier, cluster_rank() ^ (cluster_size() - 1));
    mbarrier_arrive_peer(peer);
    mbarrier_release_peer(peer);
    mbarrier_wait_cluster(barrier, 0);
    copy_bulk_multicast(data, call.q.data, 1024, barrier, 3);
    copy_tensor_4d_multicast(data + 1024, &call.v_map, 0, -1, 2, 3, barrier, 3);
    const u32 unused = kInfinityBits + kNanBits + kNoBadKey + kBadRowMarker + kWarpLanes;
    *call.lse = mbarrier_try_wait(barrier, 1) && mbarrier_test(barrier, 1) ? 1.0f : unused;
}
)";

std::string source_text() {
    std::string text;
    for (const char* name : {"types", "call"}) {
        text +=
            test::read_file(test::source_path(std::string("templates/common/") + name + ".cuh"));
    }
    return text + used_instructions(kKernel, Column::kDevice) + kKernel;
}

}  // namespace

TEST_CASE("asynchronous instructions compile for sm_90a") {
    test::need_nvrtc();
    for (const Instruction& row : async_instructions()) {
        INFO(row.name);
        CHECK(std::string_view(kKernel).find(std::string(row.name)) != std::string_view::npos);
    }
    const CompiledCubin cubin = compile_cubin(source_text(), "sm_90a", "async_rows.cu");
    CHECK(cubin.warnings == "");
    REQUIRE(cubin.entries.size() == 1);
    CHECK(cubin.entries[0].symbol == "kernel");
}
