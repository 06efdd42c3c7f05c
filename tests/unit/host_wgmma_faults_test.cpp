// wgmma on the host device when a kernel breaks its rules: faults, or results that cannot be right.
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "error_of.h"
#include "host/wgmma.h"
#include "host_kernel.h"

using namespace sagejit;
using namespace sagejit::abi;
using Catch::Matchers::Contains;

namespace {

// A is 64 x 32 bytes of 1 at 0, B 16 x 32 bytes of 2 at 4096: every sum is 64.
constexpr const char* kBody = R"(
static u32 thread() { return host_api->thread_index(); }
static u64 descriptor(u32 address) { return address >> 4 | 16ull << 32 | 3ull << 62; }

static void fill(u32 address, u32 bytes, u32 word) {
    const u32 words[4] = {word, word, word, word};
    for (u32 at = thread() * 16; at < bytes; at += 128 * 16) {
        host_api->store_shared(address + at, words, 16);
    }
}
static void fill_operands() {
    fill(0, 2048, 0x01010101);
    fill(4096, 8192, 0x02020202);
}

static WgmmaOperation product(u32* d) {
    WgmmaOperation operation = {};
    operation.n = 16;
    operation.a_descriptor = descriptor(0);
    operation.b_descriptor = descriptor(4096);
    operation.d = d;
    return operation;
}

static void finish() {
    host_api->warpgroup_commit();
    host_api->warpgroup_wait(0);
}

extern "C" void wgmma(Call call) {
    const u32 which = *static_cast<const u32*>(call.q.data), warp = thread() / 32;
    u32* out = static_cast<u32*>(call.o.data) + 8 * thread();
    u32 d[16] = {}, e[8] = {}, a[4] = {0x01010101, 0x01010101, 0x01010101, 0x01010101};
    fill_operands();
    if (which != 12) host_api->fence_async_shared();
    host_api->cta_barrier();
    if (which != 1) host_api->warpgroup_fence();
    WgmmaOperation operation = product(d);
    switch (which) {
        case 3:
            host_api->wgmma(operation);
            d[5] = 1;
            finish();
            break;
        case 4:
            operation.a = a;
            host_api->wgmma(operation);
            host_api->warpgroup_commit();
            if (thread() == 77) a[2] = 0;
            host_api->warpgroup_wait(0);
            break;
        case 5:
            host_api->wgmma(operation);
            host_api->warpgroup_commit();
            return;
        case 6:
            if (warp == 3) operation.n = 8;
            host_api->wgmma(operation);
            finish();
            break;
        case 7:
            if (thread() == 9) operation.b_descriptor += 64;
            host_api->wgmma(operation);
            finish();
            break;
        case 8:
            operation.n = 40;
            host_api->wgmma(operation);
            break;
        case 9:
            operation.b_mn_major = 1;
            host_api->wgmma(operation);
            break;
        case 10:
            operation.b_descriptor |= 1ull << 49;
            host_api->wgmma(operation);
            break;
        case 11:
            operation.b_descriptor = descriptor(16384 - 256);
            host_api->wgmma(operation);
            finish();
            break;
        case 13:
            if (warp == 2) break;
            host_api->wgmma(operation);
            finish();
            break;
        case 15:
            host_api->wgmma(operation);
            operation.d = d + 4;
            host_api->wgmma(operation);
            finish();
            break;
        case 16:
            host_api->wgmma(operation);
            finish();
            operation.a = a;
            host_api->wgmma(operation);
            finish();
            break;
        case 17:
            host_api->wgmma(operation);
            finish();
            d[3] += 1;
            operation.accumulate = 1;
            host_api->wgmma(operation);
            finish();
            break;
        case 18:
            operation.kind = 4;
            host_api->wgmma(operation);
            break;
        case 19:
            operation.kind = 1;
            operation.b_mn_major = 1;
            operation.b_descriptor = 4096 >> 4;
            host_api->wgmma(operation);
            break;
        case 20:  // the next group is another's
            host_api->wgmma(operation);
            if (warp == 0) host_api->warpgroup_commit();
            operation.d = e;
            host_api->wgmma(operation);
            finish();
            break;
        case 21:  // in a branch that one warp takes
            host_api->wgmma(operation);
            host_api->warpgroup_commit();
            if (warp == 2) host_api->warpgroup_wait(0);
            host_api->warpgroup_wait(0);
            host_api->warpgroup_fence();
            operation.d = e;
            host_api->wgmma(operation);
            finish();
            break;
        default:
            host_api->wgmma(operation);
            finish();
            operation.accumulate = 1;
            host_api->wgmma(operation);
            finish();
    }
    for (u32 i = 0; i < 8; ++i) out[i] = d[i] + (which == 0 ? 0 : e[i]);
}

// Reads D before it waits.
extern "C" void early(Call call) {
    u32* out = static_cast<u32*>(call.o.data) + 8 * thread();
    u32 d[8] = {};
    fill_operands();
    host_api->fence_async_shared();
    host_api->cta_barrier();
    host_api->warpgroup_fence();
    host_api->wgmma(product(d));
    host_api->warpgroup_commit();
    for (u32 i = 0; i < 8; ++i) out[i] = d[i];
    host_api->warpgroup_wait(0);
}

// Two groups; waits for the first and, in between, overwrites what the second reads.
extern "C" void overwrite(Call call) {
    u32* out = static_cast<u32*>(call.o.data) + 8 * thread();
    u32 d[8] = {}, e[8] = {};
    fill_operands();
    host_api->fence_async_shared();
    host_api->cta_barrier();
    host_api->warpgroup_fence();
    WgmmaOperation operation = product(d);
    host_api->wgmma(operation);
    host_api->warpgroup_commit();
    operation.d = e;
    operation.b_descriptor = descriptor(8192);
    host_api->wgmma(operation);
    host_api->warpgroup_commit();
    host_api->warpgroup_wait(1);
    u32 wrong = 0;
    for (u32 i = 0; i < 8; ++i) wrong |= d[i] ^ 64;
    host_api->cta_barrier();
    fill(8192, 512, 0x03030303);
    host_api->fence_async_shared();
    host_api->cta_barrier();
    host_api->warpgroup_wait(0);
    for (u32 i = 0; i < 8; ++i) out[i] = wrong != 0 ? ~0u : e[i];
}

extern "C" void loose(Call) {
    u32 d[8] = {};
    host_api->wgmma(product(d));
}
)";

const TestKernels& kernels() {
    static const TestKernels loaded(kBody);
    return loaded;
}

constexpr TestKernels::Geometry kGeometry = {.threads = 128, .shared_bytes = 16384};

std::vector<u32> run(const char* name, u32 which, uint64_t seed) {
    std::vector<u32> out(8 * 128);
    TestKernels::Geometry geometry = kGeometry;
    geometry.seed = seed;
    kernels().run(name, &which, out.data(), geometry);
    return out;
}

std::string fault_of(u32 which) {
    const Error error = error_of([&] { run("wgmma", which, which % 3); });
    CHECK(error.code() == ErrorCode::kLaunchFailed);
    return error.message();
}

}  // namespace

TEST_CASE("wgmma by the rules has the sums", "[host_machine][wgmma]") {
    for (uint64_t seed = 0; seed < 12; ++seed) {
        CHECK(run("wgmma", 0, seed) == std::vector<u32>(8 * 128, 128));
    }
}

TEST_CASE("wgmma without its fences is a fault", "[host_machine][wgmma]") {
    CHECK_THAT(fault_of(1), Contains("warpgroup_fence is missing"));
    CHECK_THAT(fault_of(12), Contains("fence_async_shared is missing"));
    CHECK_THAT(fault_of(16), Contains("A in registers needs a warpgroup_fence"));
    CHECK_THAT(fault_of(17), Contains("D was written since the last warpgroup_fence"));
}

TEST_CASE("registers of a wgmma touched too early show", "[host_machine][wgmma]") {
    CHECK_THAT(fault_of(4), Contains("registers of A were written before the wait"));
    CHECK_THAT(fault_of(5), Contains("a warp exits without waiting"));
    CHECK_THAT(fault_of(15), Contains("D overlaps one in flight"));
    if (host::kAddressSanitizer) return;  // which reports the others: host_async_sanitizer_test
    CHECK_THAT(fault_of(3), Contains("registers of D were written before the wait"));
    for (uint64_t seed = 0; seed < 12; ++seed) {
        const std::vector<u32> nothing(8 * 128, host::Accumulator::kInFlight);
        CHECK(run("early", 0, seed) == nothing);
    }
}

TEST_CASE("warps and lanes that do not issue the same wgmma are faults", "[host_machine][wgmma]") {
    CHECK_THAT(fault_of(6), Contains("the warps of a warpgroup differ"));
    CHECK_THAT(fault_of(7), Contains("the lanes of a warp differ"));
    CHECK_THAT(fault_of(20), Contains("the warps of a warpgroup differ"));
    CHECK_THAT(fault_of(21), Contains("differ in their waits"));
    const std::string stuck = fault_of(13);
    CHECK_THAT(stuck, Contains("warp 0: lanes 0-31 wait at warpgroup_wait"));
    CHECK_THAT(stuck, Contains("warp 2: lanes 0-31 have exited"));
    const Error error = error_of([] { kernels().run("loose", nullptr, nullptr, {.threads = 96}); });
    CHECK_THAT(error.message(), Contains("no whole warpgroup"));
}

TEST_CASE("wgmma that do not exist are faults", "[host_machine][wgmma]") {
    CHECK_THAT(fault_of(8), Contains("wgmma(40): there is no such n"));
    CHECK_THAT(fault_of(9), Contains("only 16-bit types"));
    CHECK_THAT(fault_of(10), Contains("bits of a descriptor"));
    CHECK_THAT(fault_of(11), Contains("are outside the CTA's 16384 bytes"));
    CHECK_THAT(fault_of(18), Contains("wgmma(4): there is no such kind"));
    CHECK_THAT(fault_of(19), Contains("has a swizzle here"));
}

TEST_CASE("operands overwritten before the wait show under some schedule",
          "[host_machine][wgmma]") {
    if (skips_races()) return;
    std::map<u32, int> sums;
    for (uint64_t seed = 0; seed < 40; ++seed) {
        const std::vector<u32> out = run("overwrite", 0, seed);
        for (const u32 sum : out) ++sums[sum];
    }
    CHECK(sums.size() == 2);
    CHECK(sums[64] > 0);
    CHECK(sums[96] > 0);
}
