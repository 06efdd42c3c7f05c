// Clusters on the host device: CTAs that run together, their barrier, arrivals at one another's
// mbarriers, copies into both, and what a kernel may get wrong.
#include <catch2/catch.hpp>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "error_of.h"
#include "host/host_tensor_map.h"
#include "host/process.h"
#include "host_kernel.h"

using namespace sagejit;
using namespace sagejit::abi;
using Catch::Matchers::Contains;

namespace {

constexpr const char* kCommon = R"(
static u32 thread() { return host_api->thread_index(); }
static u32 rank() { return host_api->cluster_rank(); }
static void meet() {
    host_api->cluster_barrier(0);
    host_api->cluster_barrier(1);
}
)";

constexpr const char* kBody = R"(
extern "C" void where(Call call) {
    if (thread() != 0) return;
    u32* out = static_cast<u32*>(call.o.data) + 4 * host_api->cta_index();
    const u32 all[4] = {host_api->cta_index(), rank(), host_api->cluster_size(),
                        host_api->cta_count()};
    for (u32 i = 0; i < 4; ++i) out[i] = all[i];
}

// Each CTA tells the other at its mbarrier; barriers of warps of different lengths in between.
extern "C" void exchange(Call call) {
    u32* out = static_cast<u32*>(call.o.data);
    if (thread() == 0) {
        host_api->mbarrier_init(0, 2);
        host_api->mbarrier_init_fence();
    }
    meet();
    for (u32 round = 0; round < 4; ++round) {
        const u32 warp = thread() / 32;
        if (thread() % 32 < 2 && warp == 0) {
            host_api->mbarrier_arrive_peer(host_api->peer_address(0, thread() % 32), 0);
        }
        host_api->mbarrier_wait(0, round & 1);
        if (thread() == 32) out[host_api->cta_index() * 4 + round] = round + 1;
        host_api->warp_barrier();
        meet();
    }
}

// Threads that have exited are not waited for.
extern "C" void leaves(Call call) {
    if (rank() == 1 && thread() >= 32) return;
    meet();
    static_cast<u32*>(call.o.data)[64 * rank() + thread()] = 1;
}

extern "C" void arrives_twice(Call) {
    host_api->cluster_barrier(0);
    host_api->cluster_barrier(0);
}
extern "C" void waits_first(Call) { host_api->cluster_barrier(1); }
extern "C" void no_such_rank(Call) { host_api->peer_address(0, host_api->cluster_size()); }
extern "C" void no_barrier_there(Call) {
    meet();
    host_api->mbarrier_arrive_peer(host_api->peer_address(64, rank() ^ 1), 0);
    meet();
}
extern "C" void waits_for_nobody(Call) {
    if (rank() == 0) {
        if (thread() == 0) host_api->mbarrier_init(0, 1);
        host_api->cta_barrier();
        host_api->mbarrier_wait(0, 0);
    } else {
        meet();
    }
}
// CTA 1 uses the memory of CTA 0, which does not stay for it.
extern "C" void goes_early(Call) {
    if (thread() == 0) host_api->mbarrier_init(0, 1);
    meet();
    if (rank() == 0) return;
    for (u32 i = 0; i < 400; ++i) host_api->warp_barrier();
    host_api->mbarrier_arrive_peer(host_api->peer_address(0, 0), 0);
}
extern "C" void copies_to_nobody(Call call) {
    host_api->mbarrier_init(0, 1);
    host_api->mbarrier_init_fence();
    host_api->copy_bulk_multicast(64, call.q.data, 64, 0, 4);
}
)";

// A pipeline of two CTAs: lane 0 of warp 2 in each brings one half of every round's 256 bytes into
// both, by boxes or by ranges; warps 0 and 1 of both read all of it. What may be wrong: the wait
// for its readers, how they say that they have read, and the barriers at the start and the end.
std::string pipeline(const std::string& empty_wait, const std::string& release,
                     const std::string& start, const std::string& end) {
    return std::string(kCommon) + R"(
#line 1 "kernel.cpp"
extern "C" void kernel(Call call) {
    const u32 warp = thread() / 32, lane = thread() % 32, full = 0, empty = 16;
    if (thread() == 0) {
        for (u32 i = 0; i < 2; ++i) host_api->mbarrier_init(full + 8 * i, 1);
        for (u32 i = 0; i < 2; ++i) host_api->mbarrier_init(empty + 8 * i, 4);
        host_api->mbarrier_init_fence();
    }
    )" + start +
           R"(
    u32 sum = 0;
    for (u32 round = 0; round < 8; ++round) {
        const u32 slot = round % 2, parity = round / 2 % 2, half = 128 * rank();
        const u32 data = 1024 + 256 * slot + half;
        if (warp == 2 && lane == 0) {
            )" +
           empty_wait + R"(
            host_api->mbarrier_arrive(full + 8 * slot, 256);
            const u8* source = static_cast<const u8*>(call.q.data) + 256 * round + half;
            const i32 at[4] = {0, static_cast<i32>(8 * round + 4 * rank()), 0, 0};
            if (round % 3 == 0) {
                host_api->copy_tensor_4d_multicast(data, &call.v_map, at, full + 8 * slot, 3);
            } else {
                host_api->copy_bulk_multicast(data, source, 128, full + 8 * slot, 3);  // line 24
            }
        }
        if (warp == 2) continue;
        host_api->mbarrier_wait(full + 8 * slot, parity);
        u32 word;
        host_api->load_shared(&word, 1024 + 256 * slot + 4 * (thread() % 64), 4);  // line 30
        sum = sum * 3 + word;
        host_api->warp_barrier();
        )" +
           release + R"(
    }
    )" + end +
           R"(
    static_cast<u32*>(call.o.data)[96 * host_api->cta_index() + thread()] = sum;
})";
}

const std::string kMeet = "meet();";
const std::string kEmptyWait = "host_api->mbarrier_wait(empty + 8 * slot, parity ^ 1);";
const std::string kRelease =
    "if (lane < 2) host_api->mbarrier_arrive_peer("
    "host_api->peer_address(empty + 8 * slot, lane), 0);";
// Of the cluster's scope, which a wait of the CTA's does not see.
const std::string kScopedRelease =
    "if (lane < 2) host_api->mbarrier_arrive_peer("
    "host_api->peer_address(empty + 8 * slot, lane), 1);";
const std::string kScopedWait = "host_api->mbarrier_wait_cluster(empty + 8 * slot, parity ^ 1);";
// Nobody else's readers: two of the four arrivals each.
const std::string kOwnRelease =
    "if (lane < 2) host_api->mbarrier_arrive_peer("
    "host_api->peer_address(empty + 8 * slot, rank()), 0);";

struct Kernel {
    const char* name;
    std::string body;
};

const Kernel kKernels[] = {
    {"clean", pipeline(kEmptyWait, kRelease, kMeet, kMeet)},
    {"scoped", pipeline(kScopedWait, kScopedRelease, kMeet, kMeet)},
    {"wrong scope", pipeline(kEmptyWait, kScopedRelease, kMeet, kMeet)},
    {"own readers only", pipeline(kEmptyWait, kOwnRelease, kMeet, kMeet)},
    {"starts alone", pipeline(kEmptyWait, kRelease, "host_api->cta_barrier();", kMeet)},
    {"leaves alone", pipeline(kEmptyWait, kRelease, kMeet, "")},
};

std::vector<u32> run_pipeline(const std::string& body, uint64_t seed) {
    const TestKernels kernels(body);
    std::vector<u32> in(512), out(4 * 96, 77);
    std::iota(in.begin(), in.end(), 5u);
    const auto source = std::make_unique<u32[]>(in.size());
    std::copy(in.begin(), in.end(), source.get());
    TensorMapRequest request;  // 64 rows of 32 bytes, four a box
    request.base = source.get();
    request.element_bytes = 1;
    request.sizes[0] = request.box[0] = 32;
    request.sizes[1] = 64;
    request.box[1] = 4;
    request.sizes[2] = request.sizes[3] = request.box[2] = request.box[3] = 1;
    for (uint64_t& stride : request.stride_bytes) stride = 32;
    const TensorMap map = host::encode_tensor_map(request);
    kernels.run(
        "kernel", source.get(), out.data(),
        {.ctas = 4, .threads = 96, .shared_bytes = 2048, .seed = seed, .map = &map, .cluster = 2});
    return out;
}

std::vector<u32> expected_sums() {
    std::vector<u32> sums(4 * 96, 0);
    for (u32 cta = 0; cta < 4; ++cta) {
        for (u32 thread = 0; thread < 64; ++thread) {
            u32& sum = sums[96 * cta + thread];
            for (u32 round = 0; round < 8; ++round) sum = sum * 3 + 5 + 64 * round + thread;
        }
    }
    return sums;
}

void run_kernel(const std::string& name) {
    for (const Kernel& kernel : kKernels) {
        if (name != kernel.name) continue;
        for (uint64_t seed = 0; seed < 8; ++seed) run_pipeline(kernel.body, seed);
    }
}

host::ProcessResult run_in_child(const std::string& name) {
    return host::run_process({"/proc/self/exe", "host cluster kernel: " + name});
}

const TestKernels& kernels() {
    static const TestKernels all(std::string(kCommon) + kBody);
    return all;
}

Error fault_of(const char* name, uint64_t seed = 0) {
    return error_of([&] {
        u32 in[64] = {}, out[256];
        kernels().run(name, in, out, {.ctas = 2, .threads = 64, .seed = seed, .cluster = 2});
    });
}

}  // namespace

// Hidden: for the children.
#define HOST_KERNEL(name) \
    TEST_CASE("host cluster kernel: " name, "[.]") { run_kernel(name); }
HOST_KERNEL("clean")
HOST_KERNEL("scoped")
HOST_KERNEL("wrong scope")
HOST_KERNEL("own readers only")
HOST_KERNEL("starts alone")
HOST_KERNEL("leaves alone")

TEST_CASE("CTAs know their cluster", "[host_machine]") {
    for (const int cluster : {1, 2, 4}) {
        std::vector<u32> out(32);
        kernels().run("where", nullptr, out.data(), {.ctas = 8, .cluster = cluster});
        for (u32 cta = 0; cta < 8; ++cta) {
            const auto size = static_cast<u32>(cluster);
            CHECK(std::vector(out.begin() + 4 * cta, out.begin() + 4 * cta + 4) ==
                  std::vector<u32>{cta, cta % size, size, 8});
        }
    }
}

TEST_CASE("CTAs of a cluster arrive at one another's barriers", "[host_machine]") {
    for (uint64_t seed = 0; seed < 20; ++seed) {
        std::vector<u32> out(16);
        kernels().run("exchange", nullptr, out.data(),
                      {.ctas = 4, .threads = 64, .seed = seed, .cluster = 2});
        for (u32 i = 0; i < 16; ++i) CHECK(out[i] == i % 4 + 1);
    }
}

TEST_CASE("a cluster's barrier does not wait for threads that have exited", "[host_machine]") {
    for (uint64_t seed = 0; seed < 10; ++seed) {
        std::vector<u32> out(128);
        kernels().run("leaves", nullptr, out.data(),
                      {.ctas = 2, .threads = 64, .seed = seed, .cluster = 2});
        CHECK(std::accumulate(out.begin(), out.end(), 0u) == 96);
    }
}

TEST_CASE("copies into both CTAs of a cluster arrive whole under every schedule",
          "[host_machine]") {
    const std::vector<u32> expected = expected_sums();
    for (const int kernel : {0, 1}) {
        for (uint64_t seed = 0; seed < 40; ++seed) {
            const std::vector<u32> sums = run_pipeline(kKernels[kernel].body, seed);
            for (u32 i = 0; i < sums.size(); ++i) {
                if (i % 96 < 64) CHECK(sums[i] == expected[i]);
            }
        }
    }
}

TEST_CASE("a grid is made of whole clusters", "[host_machine]") {
    for (const int cluster : {0, 2, 16}) {
        const Error error = error_of([&] {
            u32 out[32];
            kernels().run("where", nullptr, out, {.ctas = 3, .cluster = cluster});
        });
        CHECK(error.code() == ErrorCode::kLaunchFailed);
        CHECK_THAT(error.message(), Contains("3 CTAs in clusters of " + std::to_string(cluster)));
    }
}

TEST_CASE("kernels that misuse a cluster are told so", "[host_machine]") {
    CHECK_THAT(fault_of("arrives_twice").message(), Contains("has not waited since it arrived"));
    CHECK_THAT(fault_of("waits_first").message(), Contains("cluster_wait(0): the warp has not"));
    CHECK_THAT(fault_of("no_such_rank").message(), Contains("no CTA of that rank"));
    CHECK_THAT(fault_of("copies_to_nobody").message(), Contains("no CTA of that rank"));
    CHECK_THAT(fault_of("no_barrier_there").message(),
               Contains("mbarrier_arrive_peer(64): no mbarrier was initialised there"));
    const std::string stuck = fault_of("waits_for_nobody").message();
    CHECK_THAT(stuck, Contains("can never go on"));
    CHECK_THAT(stuck, Contains("wait at cluster_wait"));
    CHECK_THAT(stuck, Contains("wait at an mbarrier"));
}

TEST_CASE("a CTA that leaves while another still uses its memory is a fault", "[host_machine]") {
    if (skips_races()) return;
    for (const uint64_t seed : {1, 2, 3}) {  // in plain order the other is still there
        const Error error = fault_of("goes_early", seed);
        CHECK_THAT(error.message(), Contains("cta 1"));
        CHECK_THAT(error.message(), Contains("that CTA of the cluster has exited"));
    }
    const host::ProcessResult child = run_in_child("leaves alone");
    CHECK(child.status != 0);
    CHECK_THAT(child.output, Contains("mbarrier_arrive_peer(16)"));
}

TEST_CASE("ThreadSanitizer finds what CTAs of a cluster do not wait for", "[host_machine]") {
    if (!host::kThreadSanitizer) {
        WARN("skipped: not a build with ThreadSanitizer");
        return;
    }
    for (const char* name : {"clean", "scoped"}) {
        const host::ProcessResult child = run_in_child(name);
        INFO(child.output);
        CHECK(child.status == 0);
        CHECK_THAT(child.output, !Contains("ThreadSanitizer"));
    }
    for (const char* name : {"wrong scope", "own readers only"}) {
        INFO(name);
        const host::ProcessResult child = run_in_child(name);
        CHECK(child.status != 0);
        CHECK_THAT(child.output, Contains("ThreadSanitizer: data race"));
    }
    // A race, or a fault where the other CTA was not there yet, or no longer.
    const host::ProcessResult early = run_in_child("starts alone");
    CHECK(early.status != 0);
    CHECK_THAT(early.output, Contains("ThreadSanitizer: data race") ||
                                 Contains("copy_tensor_4d_multicast(0): no"));
    const host::ProcessResult late = run_in_child("leaves alone");
    CHECK(late.status != 0);
    CHECK_THAT(late.output,
               Contains("ThreadSanitizer: data race") || Contains("mbarrier_arrive_peer(16)"));
}
