// How the host device schedules the threads of a CTA: barriers, seeds, and kernels that would hang.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "error_of.h"
#include "host/grid.h"
#include "host_kernel.h"

using namespace sagejit;
using namespace sagejit::abi;
using Catch::Matchers::Contains;

namespace {

constexpr const char* kBody = R"(
static u32 load(u32 address) {
    u32 value;
    host_api->load_shared(&value, address, 4);
    return value;
}
static void store(u32 address, u32 value) { host_api->store_shared(address, &value, 4); }

// Every thread passes a word to the thread opposite, three times.
template <bool wait>
static void mirror(const Call& call, u32 threads, void (*barrier)()) {
    const u32 thread = host_api->thread_index(), cta = host_api->cta_index();
    const u32 first = thread / threads * threads;
    u32* out = static_cast<u32*>(call.o.data) + cta * 1024;
    u32 value = thread;
    for (int round = 0; round < 3; ++round) {
        store(thread * 4, value);
        if (wait) barrier();
        value = load((first + threads - 1 - (thread - first)) * 4) + 1;
        if (wait) barrier();
    }
    out[thread] = value;
}
extern "C" void mirror_cta(Call call) { mirror<true>(call, 128, host_api->cta_barrier); }
extern "C" void mirror_warp(Call call) { mirror<true>(call, 32, host_api->warp_barrier); }
extern "C" void mirror_unsafe(Call call) { mirror<false>(call, 128, nullptr); }

// In which order the threads come to the same place, before and after a barrier.
extern "C" void order(Call call) {
    u32* out = static_cast<u32*>(call.o.data);
    out[++out[0]] = host_api->thread_index();
    host_api->cta_barrier();
    out[++out[0]] = host_api->thread_index();
}

// Reads shared memory that nobody wrote, then dirties it.
extern "C" void untouched(Call call) {
    const u32 thread = host_api->thread_index();
    static_cast<u32*>(call.o.data)[host_api->cta_index() * 32 + thread] = load(thread * 4);
    store(thread * 4, 0);
}

extern "C" void largest(Call call) {
    const u32 thread = host_api->thread_index();
    if (thread == 0) store(8, 5);
    host_api->cta_barrier();
    host_api->atomic_max_shared(8, thread * 7 % 64);
    host_api->cta_barrier();
    static_cast<u32*>(call.o.data)[thread] = load(8);
}

extern "C" void vote_or_barrier(Call) {
    if (host_api->thread_index() % 32 < 16) {
        host_api->vote_any(1);
    } else {
        host_api->cta_barrier();
    }
}
extern "C" void two_collectives(Call) {
    u32 words[4];
    if (host_api->thread_index() == 37) {
        host_api->shuffle_xor(1, 1);
    } else {
        host_api->ldmatrix_x4(words, 0, host_api->thread_index() == 36);
    }
}
extern "C" void lane_exits(Call) {
    if (host_api->thread_index() % 32 == 5) return;
    host_api->warp_barrier();
}
extern "C" void lanes_skip_barrier(Call) {
    if (host_api->thread_index() >= 40) return;
    host_api->cta_barrier();
}
extern "C" void warp_skips_barrier(Call) {
    if (host_api->thread_index() / 32 == 1) return;
    host_api->cta_barrier();
}
// CTAs 3, 5 and 6 fail.
extern "C" void some_fail(Call) {
    const u32 cta = host_api->cta_index();
    if (cta == 3 || cta == 5 || cta == 6) load(1 << 20);
}

// The address, size and kind of access come from the caller.
struct Access { u32 address, bytes, kind; };
extern "C" void access(Call call) {
    const Access& in = *static_cast<const Access*>(call.q.data);
    u32 words[4] = {};
    if (in.kind == 0) host_api->load_shared(words, in.address, in.bytes);
    if (in.kind == 1) host_api->store_shared(in.address, words, in.bytes);
    if (in.kind == 2) host_api->cp_async_16(in.address, words, in.bytes);
    if (in.kind == 3) host_api->ldmatrix_x4(words, in.address, 0);
    if (in.kind == 4) host_api->atomic_max_shared(in.address, 1);
}
)";

const TestKernels& kernels() {
    static const TestKernels loaded(kBody);
    return loaded;
}

std::vector<u32> run(const char* name, const TestKernels::Geometry& geometry,
                     std::size_t words = 4096) {
    std::vector<u32> out(words);
    kernels().run(name, nullptr, out.data(), geometry);
    return out;
}

Error failure(const char* name, const TestKernels::Geometry& geometry) {
    const Error error = error_of([&] { run(name, geometry); });
    CHECK(error.code() == ErrorCode::kLaunchFailed);
    CHECK(error.where() == name);
    return error;
}

struct Access {
    u32 address, bytes, kind;
};

std::string access_failure(Access access) {
    const Error error =
        error_of([&] { kernels().run("access", &access, nullptr, {.shared_bytes = 100}); });
    CHECK(error.code() == ErrorCode::kLaunchFailed);
    return error.message();
}

// What mirror writes: three steps, each to the opposite thread and one up.
u32 mirrored(u32 thread, u32 threads) {
    return thread / threads * threads + threads - 1 - thread % threads + 3;
}

}  // namespace

TEST_CASE("barriers order shared memory under every schedule", "[host_machine]") {
    for (uint64_t seed = 0; seed < 20; ++seed) {
        const auto cta = run("mirror_cta", {.ctas = 4, .threads = 128, .seed = seed});
        const auto warp = run("mirror_warp", {.ctas = 4, .threads = 128, .seed = seed});
        int wrong = 0;
        for (u32 i = 0; i < 4 * 128; ++i) {
            wrong += cta[i / 128 * 1024 + i % 128] != mirrored(i % 128, 128);
            wrong += warp[i / 128 * 1024 + i % 128] != mirrored(i % 128, 32);
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("a missing barrier gives wrong results", "[host_machine]") {
    if (skips_races()) return;
    for (uint64_t seed = 0; seed < 5; ++seed) {
        const auto out = run("mirror_unsafe", {.threads = 128, .seed = seed});
        int wrong = 0;
        for (u32 thread = 0; thread < 128; ++thread) wrong += out[thread] != mirrored(thread, 128);
        CHECK(wrong > 0);
    }
}

TEST_CASE("a seed decides the schedule", "[host_machine]") {
    if (skips_races()) return;
    const TestKernels::Geometry geometry{.threads = 64};
    const auto seeded = [&](uint64_t seed) {
        TestKernels::Geometry with_seed = geometry;
        with_seed.seed = seed;
        return run("order", with_seed, 129);
    };
    std::vector<u32> plain(129);
    plain[0] = 128;
    std::iota(plain.begin() + 1, plain.begin() + 65, 0);
    std::iota(plain.begin() + 65, plain.end(), 0);
    CHECK(seeded(0) == plain);
    std::set<std::vector<u32>> orders{plain};
    for (uint64_t seed = 1; seed < 20; ++seed) {
        CHECK(seeded(seed) == seeded(seed));
        orders.insert(seeded(seed));
    }
    CHECK(orders.size() == 20);
}

TEST_CASE("shared memory starts as NaN in every CTA", "[host_machine]") {
    const auto out = run("untouched", {.ctas = 8});
    CHECK(std::all_of(out.begin(), out.begin() + 256, [](u32 word) { return word == 0xffffffff; }));
}

TEST_CASE("atomic maxima reach every thread", "[host_machine]") {
    const auto out = run("largest", {.threads = 64, .seed = 2});
    CHECK(std::all_of(out.begin(), out.begin() + 64, [](u32 word) { return word == 63; }));
}

TEST_CASE("divergence is an error that says who waits where", "[host_machine]") {
    for (const uint64_t seed : {0, 1, 2, 3}) {
        const TestKernels::Geometry geometry{.threads = 64, .seed = seed};
        CHECK_THAT(failure("vote_or_barrier", geometry).message(),
                   Contains("diverged") && Contains("lanes 16-31 wait at cta_barrier") &&
                       Contains("lanes 0-15 wait at vote_any"));
        CHECK_THAT(
            failure("lane_exits", geometry).message(),
            Contains("lanes 0-4,6-31 wait at warp_barrier") && Contains("lanes 5 have exited"));
        CHECK_THAT(failure("lanes_skip_barrier", geometry).message(),
                   Contains("cta 0") && Contains("warp 1 diverged") &&
                       Contains("lanes 0-7 wait at cta_barrier") &&
                       Contains("lanes 8-31 have exited"));
    }
    // Warp 0 is done by then, or never started.
    CHECK_THAT(failure("two_collectives", {.threads = 64}).message(),
               Contains("warp 1 diverged") && Contains("lanes 0-3,6-31 wait at ldmatrix_x4,") &&
                   Contains("lanes 4 wait at ldmatrix_x4 (transposed)") &&
                   Contains("lanes 5 wait at shuffle_xor"));
}

TEST_CASE("a barrier that a warp never reaches is an error", "[host_machine]") {
    for (const uint64_t seed : {0, 1, 2, 3}) {
        const Error error = failure("warp_skips_barrier", {.threads = 96, .seed = seed});
        CHECK_THAT(error.message(), Contains("warp 0: lanes 0-31 wait at cta_barrier; "
                                             "warp 1: lanes 0-31 have exited; "
                                             "warp 2: lanes 0-31 wait at cta_barrier"));
        if (seed != 0) {
            CHECK_THAT(error.fix(), Contains("SAGEJIT_HOST_SEED=" + std::to_string(seed)));
        }
    }
}

TEST_CASE("the host device works on after a fault", "[host_machine]") {
    for (int i = 0; i < 50; ++i) failure("warp_skips_barrier", {.threads = 96});
    CHECK(run("mirror_cta", {.threads = 128})[0] == mirrored(0, 128));
}

TEST_CASE("the error of the first CTA that fails is reported", "[host_machine]") {
    for (int i = 0; i < 20; ++i) {
        CHECK_THAT(failure("some_fail", {.ctas = 50}).message(), Contains("cta 3, "));
    }
}

TEST_CASE("shared addresses are checked", "[host_machine]") {
    CHECK_THAT(access_failure({100, 4, 0}),
               Contains("thread 0 (warp 0, lane 0): load_shared: 4 bytes at shared address 100 are "
                        "outside the CTA's 100 bytes"));
    CHECK_THAT(access_failure({0xfffffff0, 16, 1}), Contains("store_shared: 16 bytes at shared "
                                                             "address 4294967280 are outside"));
    CHECK_THAT(access_failure({96, 16, 2}), Contains("cp_async_16: 16 bytes at shared address 96"));
    CHECK_THAT(access_failure({96, 16, 3}), Contains("ldmatrix_x4: 16 bytes at shared address 96"));
    CHECK_THAT(access_failure({100, 4, 4}), Contains("atomic_max_shared: 4 bytes"));
    CHECK_THAT(access_failure({6, 4, 0}), Contains("shared address 6 is not aligned to its 4"));
    CHECK_THAT(access_failure({8, 16, 2}), Contains("address 8 is not aligned to its 16 bytes"));
    CHECK_THAT(access_failure({0, 3, 0}), Contains("3 bytes at shared address 0 is no access"));
    CHECK_THAT(access_failure({0, 0, 1}), Contains("0 bytes"));
    CHECK_THAT(access_failure({0, 32, 1}), Contains("32 bytes"));
    CHECK_THAT(access_failure({0, 17, 2}), Contains("17 bytes"));
    Access last{92, 8, 0};
    CHECK_THAT(access_failure(last), Contains("not aligned"));
    last = {96, 4, 0};
    kernels().run("access", &last, nullptr, {.shared_bytes = 100});
}

TEST_CASE("a grid no GPU would take is an error", "[host_machine]") {
    const std::vector<TestKernels::Geometry> bad = {
        {.ctas = -1},
        {.ctas = int64_t{1} << 31},
        {.threads = 0},
        {.threads = 33},
        {.threads = 1056},
        {.shared_bytes = -1},
        {.shared_bytes = 1 << 20},
    };
    for (const auto& geometry : bad) failure("order", geometry);
    CHECK(run("order", {.ctas = 0})[0] == 0);
    const auto largest = run("mirror_cta", {.threads = 1024, .shared_bytes = 4096});
    CHECK(largest[1023] == mirrored(1023, 128));
}
