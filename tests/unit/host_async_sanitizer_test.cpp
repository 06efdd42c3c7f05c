// What sanitizers say about kernels for sm_90 with a bug, told by a child process that runs one.
// Each test needs a build with its sanitizer.
#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "host/host_tensor_map.h"
#include "host/process.h"
#include "host/sanitizers.h"
#include "host_kernel.h"

using namespace sagejit;
using namespace sagejit::abi;
using Catch::Matchers::Contains;

namespace {

// A pipeline: warp 4 brings B by copies into two slots, warps 0 to 3 multiply A by it. What is
// empty here, and the order of the last lines, is what a kernel may get wrong. The first line of
// the kernel is line 1.
std::string pipeline(const std::string& empty_wait, const std::string& ready_wait,
                     const std::string& ending) {
    return R"(
static u64 descriptor(u32 address) { return address >> 4 | 16ull << 32 | 3ull << 62; }
#line 1 "kernel.cpp"
extern "C" void kernel(Call call) {
    const u32 thread = host_api->thread_index(), lane = thread % 32, full = 0, empty = 16;
    const u32 ones[4] = {0x01010101, 0x01010101, 0x01010101, 0x01010101};
    if (thread == 0) {
        for (u32 i = 0; i < 2; ++i) host_api->mbarrier_init(full + 8 * i, 1);
        for (u32 i = 0; i < 2; ++i) host_api->mbarrier_init(empty + 8 * i, 4);
        host_api->mbarrier_init_fence();
    }
    if (thread < 128) host_api->store_shared(1024 + 16 * thread, ones, 16);
    host_api->fence_async_shared();
    host_api->cta_barrier();
    u32 d[8] = {}, sum = 0;
    for (u32 round = 0; round < 6; ++round) {
        const u32 slot = round % 2, parity = round / 2 % 2, data = 4096 + 512 * slot;
        if (thread == 128) {
            )" +
           empty_wait + R"(
            const i32 at[4] = {0, static_cast<i32>(16 * round), 0, 0};
            host_api->mbarrier_arrive(full + 8 * slot, 512);
            host_api->copy_tensor_4d(data, &call.v_map, at, full + 8 * slot);  // line 19
        }
        if (thread >= 128) continue;
        )" +
           ready_wait +
           R"(
        WgmmaOperation operation = {};
        operation.n = 16;
        operation.a_descriptor = descriptor(1024);
        operation.b_descriptor = descriptor(data);
        operation.d = d;
        host_api->warpgroup_fence();
        host_api->wgmma(operation);  // line 29
        host_api->warpgroup_commit();
        )" +
           ending +
           R"(
    }
    static_cast<u32*>(call.o.data)[thread] = sum;
})";
}

const std::string kEmptyWait = "host_api->mbarrier_wait(empty + 8 * slot, parity ^ 1);";
const std::string kReadyWait = "host_api->mbarrier_wait(full + 8 * slot, parity);";
// For the other slot's copy, which was issued later.
const std::string kOtherWait = "host_api->mbarrier_wait(full + 8 * (slot ^ 1), parity);";
const std::string kRelease = "if (lane == 0) host_api->mbarrier_arrive(empty + 8 * slot, 0);";
const std::string kWait = "host_api->warpgroup_wait(0);";
const std::string kRead = "sum = sum * 3 + d[0];";

constexpr const char* kCopyPastTheEnd = R"(
#line 1 "kernel.cpp"
extern "C" void kernel(Call call) {
    const u8* in = static_cast<const u8*>(call.q.data);
    if (host_api->thread_index() != 0) return;
    host_api->mbarrier_init(0, 1);
    host_api->mbarrier_init_fence();
    host_api->mbarrier_arrive(0, 64);
    host_api->copy_bulk(64, in + 3072 - 32, 64, 0);  // line 7
    host_api->mbarrier_wait(0, 0);
})";

// The barrier is used by threads that did not wait for its initialisation.
constexpr const char* kUnseenBarrier = R"(
#line 1 "kernel.cpp"
extern "C" void kernel(Call) {
    if (host_api->thread_index() == 0) host_api->mbarrier_init(0, 160);  // line 2
    host_api->shuffle_xor(0, 1);
    if (host_api->thread_index() < 32) host_api->mbarrier_arrive(0, 0);  // line 4
})";

// Words handed over by a named barrier that the writers do not reach, or do.
std::string named(const std::string& arrive) {
    return R"(
#line 1 "kernel.cpp"
extern "C" void kernel(Call call) {
    const u32 thread = host_api->thread_index();
    u32 value = thread;
    if (thread < 32) {
        host_api->store_shared(4 * thread, &value, 4);  // line 5
        )" +
           arrive + R"(
    } else {
        host_api->named_barrier(1, 160, 1);
        host_api->load_shared(&value, 4 * (thread % 32), 4);  // line 9
    }
    static_cast<u32*>(call.o.data)[thread] = value;
})";
}

struct Kernel {
    const char* name;
    std::string body;
};

const Kernel kKernels[] = {
    {"clean", pipeline(kEmptyWait, kReadyWait, kWait + kRelease + kRead)},
    {"released early", pipeline(kEmptyWait, kReadyWait, kRelease + kWait + kRead)},
    {"not empty", pipeline("", kReadyWait, kWait + kRelease + kRead)},
    {"not full", pipeline(kEmptyWait, kOtherWait, kWait + kRelease + kRead)},
    {"read early", pipeline(kEmptyWait, kReadyWait, kRead + kWait + kRelease)},
    {"copy past the end", kCopyPastTheEnd},
    {"unseen barrier", kUnseenBarrier},
    {"named", named("host_api->named_barrier(1, 160, 0);")},
    {"named late", named("host_api->named_barrier(1, 160, 0); "
                         "host_api->store_shared(4 * thread, &value, 4);")},
};

host::ProcessResult run_in_child(const std::string& name) {
    return host::run_process({"/proc/self/exe", "host async kernel: " + name});
}

void run_kernel(const std::string& name) {
    for (const Kernel& kernel : kKernels) {
        if (name != kernel.name) continue;
        const TestKernels kernels(kernel.body);
        const auto in = std::make_unique<u8[]>(3072);  // 96 rows of 32 bytes
        const auto out = std::make_unique<u32[]>(160);
        TensorMapRequest request;
        request.base = in.get();
        request.element_bytes = 1;
        request.swizzle_bytes = 32;
        request.sizes[0] = request.box[0] = 32;
        request.sizes[1] = 96;
        request.box[1] = 16;
        request.sizes[2] = request.sizes[3] = request.box[2] = request.box[3] = 1;
        for (uint64_t& stride : request.stride_bytes) stride = 32;
        const TensorMap map = host::encode_tensor_map(request);
        for (uint64_t seed = 0; seed < 6; ++seed) {
            kernels.run("kernel", in.get(), out.get(),
                        {.threads = 160, .shared_bytes = 8192, .seed = seed, .map = &map});
        }
    }
}

bool skipped(bool has_sanitizer, const char* name) {
    if (!has_sanitizer) WARN("skipped: not a build with " << name);
    return !has_sanitizer;
}

void check_race(const char* name, const char* line) {
    INFO(name);
    const host::ProcessResult child = run_in_child(name);
    CHECK(child.status != 0);
    CHECK_THAT(child.output, Contains("ThreadSanitizer: data race"));
    CHECK_THAT(child.output, Contains(line));
}

}  // namespace

// Hidden: for the children.
#define HOST_KERNEL(name) \
    TEST_CASE("host async kernel: " name, "[.]") { run_kernel(name); }
HOST_KERNEL("clean")
HOST_KERNEL("released early")
HOST_KERNEL("not empty")
HOST_KERNEL("not full")
HOST_KERNEL("read early")
HOST_KERNEL("copy past the end")
HOST_KERNEL("unseen barrier")
HOST_KERNEL("named")
HOST_KERNEL("named late")

TEST_CASE("ThreadSanitizer finds copies that come too early or late", "[host_machine]") {
    if (skipped(host::kThreadSanitizer, "ThreadSanitizer")) return;
    for (const char* name : {"released early", "not full"}) {
        check_race(name, "kernel.cpp:19");
        check_race(name, "kernel.cpp:29");
    }
    check_race("unseen barrier", "kernel.cpp:2");
    check_race("named late", "kernel.cpp:9");
}

TEST_CASE("ThreadSanitizer accepts a pipeline of copies and wgmma", "[host_machine]") {
    if (skipped(host::kThreadSanitizer, "ThreadSanitizer")) return;
    for (const char* name : {"clean", "named"}) {
        const host::ProcessResult child = run_in_child(name);
        INFO(child.output);
        CHECK(child.status == 0);
        CHECK_THAT(child.output, !Contains("ThreadSanitizer"));
    }
}

TEST_CASE("AddressSanitizer finds accumulators read early and copies past the end",
          "[host_machine]") {
    if (skipped(host::kAddressSanitizer, "AddressSanitizer")) return;
    const host::ProcessResult early = run_in_child("read early");
    CHECK(early.status != 0);
    CHECK_THAT(early.output, Contains("AddressSanitizer: use-after-poison"));
    CHECK_THAT(early.output, Contains("kernel.cpp:31"));
    const host::ProcessResult copy = run_in_child("copy past the end");
    CHECK(copy.status != 0);
    CHECK_THAT(copy.output, Contains("AddressSanitizer: heap-buffer-overflow"));
    CHECK_THAT(copy.output, Contains("kernel.cpp:7"));
    CHECK(run_in_child("clean").status == 0);
}

TEST_CASE("a pipeline of copies and wgmma runs under every schedule", "[host_machine]") {
    CHECK(run_in_child("clean").status == 0);
}

TEST_CASE("a producer that runs ahead of its ring is a fault", "[host_machine]") {
    const host::ProcessResult child = run_in_child("not empty");
    CHECK(child.status != 0);
    CHECK_THAT(child.output, Contains("mbarrier_arrive(0)"));
}
