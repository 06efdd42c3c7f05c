// What sanitizers say about kernels with a bug, told by a child process that runs one. Each test
// needs a build with its sanitizer.
#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "host/process.h"
#include "host/sanitizers.h"
#include "host_kernel.h"

using namespace sagejit;
using namespace sagejit::abi;
using Catch::Matchers::Contains;

namespace {

// Begins every kernel of 64 threads. The next line is line 3.
constexpr const char* kHead = R"(
#line 1 "kernel.cpp"
extern "C" void kernel(Call call) {
    u32* out = static_cast<u32*>(call.o.data) + 128 * host_api->cta_index();)";

// A word from thread to thread through shared memory. `barrier`: what lies in between.
std::string through_shared(const std::string& barrier) {
    return kHead + std::string(R"(
    const u32 thread = host_api->thread_index(), next = (thread + 1) % 64;
    u32 value = thread;
    host_api->store_shared(thread * 4, &value, 4);  // line 5
    )") + barrier +
           R"(
    host_api->load_shared(&value, next * 4, 4);  // line 7
    out[thread] = value;
})";
}

// The same through global memory.
std::string through_global(const std::string& barrier) {
    return kHead + std::string(R"(
    const u32 thread = host_api->thread_index(), next = (thread + 1) % 64;

    out[thread] = thread;  // line 5
    )") + barrier +
           R"(
    out[64 + thread] = out[next];  // line 7
})";
}

// A buffer filled by copies, read by all, and filled again by a copy.
std::string through_copies(const std::string& second_barrier) {
    return kHead + std::string(R"(
    const u32 thread = host_api->thread_index();
    const auto* in = static_cast<const u32 (*)[4]>(call.q.data);
    u32 words[4], sum = 0;
    for (u32 step = 0; step < 3; ++step) {
        host_api->cp_async_16(thread * 16, in[thread], 16);  // line 7
        host_api->cp_async_commit();
        host_api->cp_async_wait(0);
        host_api->cta_barrier();
        host_api->load_shared(words, (63 - thread) * 16, 16);  // line 11
        sum += words[0];
        )") +
           second_barrier + R"(
    }
    out[thread] = sum;
})";
}

// Every collective, votes and maxima included, and no race.
constexpr const char* kClean = R"(
    const u32 thread = host_api->thread_index(), lane = thread % 32;
    for (u32 step = 0; step < 4; ++step) {
        u32 words[4] = {thread, step, lane, 1}, halves[2] = {};
        f32 sums[4] = {};
        i32 totals[4] = {};
        host_api->store_shared(thread * 16, words, 16);
        host_api->warp_barrier();
        host_api->ldmatrix_x4(words, thread / 32 * 512 + (31 - lane) * 16, 1);
        host_api->mma_s8(totals, words, words[0], words[1]);
        host_api->mma_u8s8(totals, words, words[0], words[1]);
        host_api->mma_f16_f32(sums, words, 1, 2);
        host_api->mma_f16_f16(halves, words, 1, 2);
        const u32 value = host_api->shuffle_xor(totals[0] + halves[0], 16);
        host_api->vote_any(sums[0] > 1);
        host_api->cta_barrier();
        if (thread == 0) {
            const u32 zero = 0;
            host_api->store_shared(4, &zero, 4);
        }
        host_api->cta_barrier();
        host_api->atomic_max_shared(4, value);
        host_api->cta_barrier();
        host_api->load_shared(words, 4, 4);
        out[thread] = words[0];
        host_api->cta_barrier();
    }
})";

// Shared memory passed through a shuffle: that orders nothing.
const std::string kShuffle = "host_api->shuffle_xor(0, 1);";
const std::string kCtaBarrier = "host_api->cta_barrier();";
const std::string kWarpBarrier = "host_api->warp_barrier();";

constexpr const char* kPastTheEnd = R"(
    const u32 thread = host_api->thread_index();
    const u32* in = static_cast<const u32*>(call.q.data);
    out[thread] = in[thread + 193];  // line 5
})";
constexpr const char* kCopyPastTheEnd = R"(
    const u32 thread = host_api->thread_index();
    const auto* in = static_cast<const u32 (*)[4]>(call.q.data);
    host_api->cp_async_16(0, in[thread == 63 ? 64 : thread], 16);  // line 5
    host_api->cp_async_commit();
    host_api->cp_async_wait(0);
})";

// Runs a kernel whose input is 1024 bytes and returns what it prints and how it ends.
struct Kernel {
    const char* name;
    std::string body;
};

const Kernel kKernels[] = {
    {"shared none", through_shared("")},
    {"shared shuffle", through_shared(kShuffle)},
    {"shared warp", through_shared(kWarpBarrier)},
    {"shared cta", through_shared(kCtaBarrier)},
    {"global none", through_global("")},
    {"global cta", through_global(kCtaBarrier)},
    {"copies none", through_copies("")},
    {"copies cta", through_copies(kCtaBarrier)},
    {"clean", std::string(kHead) + kClean},
    {"past the end", std::string(kHead) + kPastTheEnd},
    {"copy past the end", std::string(kHead) + kCopyPastTheEnd},
};

host::ProcessResult run_in_child(const std::string& name) {
    return host::run_process({"/proc/self/exe", "host kernel: " + name});
}

void run_kernel(const std::string& name) {
    for (const Kernel& kernel : kKernels) {
        if (name != kernel.name) continue;
        const TestKernels kernels(kernel.body);
        const auto in = std::make_unique<u32[]>(256);
        const auto out = std::make_unique<u32[]>(1024);
        for (const uint64_t seed : {0, 1, 2, 3}) {
            kernels.run("kernel", in.get(), out.get(), {.ctas = 4, .threads = 64, .seed = seed});
        }
    }
}

bool skipped(bool has_sanitizer, const char* name) {
    if (!has_sanitizer) WARN("skipped: not a build with " << name);
    return !has_sanitizer;
}

}  // namespace

// Hidden: for the children.
#define HOST_KERNEL(name) \
    TEST_CASE("host kernel: " name, "[.]") { run_kernel(name); }
HOST_KERNEL("shared none")
HOST_KERNEL("shared shuffle")
HOST_KERNEL("shared warp")
HOST_KERNEL("shared cta")
HOST_KERNEL("global none")
HOST_KERNEL("global cta")
HOST_KERNEL("copies none")
HOST_KERNEL("copies cta")
HOST_KERNEL("clean")
HOST_KERNEL("past the end")
HOST_KERNEL("copy past the end")

TEST_CASE("ThreadSanitizer finds a missing barrier and its line", "[host_machine]") {
    if (skipped(host::kThreadSanitizer, "ThreadSanitizer")) return;
    // A shuffle orders no memory; a warp barrier does not reach the other warp.
    for (const char* name : {"shared none", "shared shuffle", "shared warp", "global none"}) {
        const host::ProcessResult child = run_in_child(name);
        CHECK(child.status != 0);
        CHECK_THAT(child.output, Contains("ThreadSanitizer: data race"));
        CHECK_THAT(child.output, Contains("kernel.cpp:5"));
        CHECK_THAT(child.output, Contains("kernel.cpp:7"));
    }
    const host::ProcessResult copies = run_in_child("copies none");
    CHECK_THAT(copies.output, Contains("ThreadSanitizer: data race"));
    CHECK_THAT(copies.output, Contains("kernel.cpp:7"));
    CHECK_THAT(copies.output, Contains("kernel.cpp:11"));
}

TEST_CASE("ThreadSanitizer accepts kernels with their barriers", "[host_machine]") {
    if (skipped(host::kThreadSanitizer, "ThreadSanitizer")) return;
    for (const char* name : {"shared cta", "global cta", "copies cta", "clean"}) {
        const host::ProcessResult child = run_in_child(name);
        CHECK(child.status == 0);
        CHECK_THAT(child.output, !Contains("ThreadSanitizer"));
    }
}

TEST_CASE("AddressSanitizer finds a read past the end of a tensor", "[host_machine]") {
    if (skipped(host::kAddressSanitizer, "AddressSanitizer")) return;
    for (const char* name : {"past the end", "copy past the end"}) {
        const host::ProcessResult child = run_in_child(name);
        CHECK(child.status != 0);
        CHECK_THAT(child.output, Contains("AddressSanitizer: heap-buffer-overflow"));
        CHECK_THAT(child.output, Contains("kernel.cpp:5"));
    }
    CHECK(run_in_child("clean").status == 0);
}
