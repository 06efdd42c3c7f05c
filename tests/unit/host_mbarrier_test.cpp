// mbarriers, named barriers and register counts on the host device: phases, producers and
// consumers under every schedule, and kernels that break the rules or would hang.
#include <array>
#include <catch2/catch.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "error_of.h"
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
static u32 thread() { return host_api->thread_index(); }

// mbarriers at 0, 8, 16..., one after the other; everybody sees them afterwards.
static void make_barriers(u32 count, u32 arrivals) {
    if (thread() == 0) {
        for (u32 i = 0; i < count; ++i) host_api->mbarrier_init(8 * i, arrivals);
        host_api->mbarrier_init_fence();
    }
    host_api->cta_barrier();
}

// A ring of two slots: warp 0 writes sixteen rounds, warps 1 and 2 read them. Waits are single
// lanes of the producer and all lanes of the consumers.
template <bool polls>
static void ring(Call call) {
    const u32 warp = thread() / 32, lane = thread() % 32, rounds = 16;
    u32* out = static_cast<u32*>(call.o.data);
    const auto wait = [](u32 address, u32 parity) {
        if (!polls) return host_api->mbarrier_wait(address, parity);
        while (host_api->mbarrier_try_wait(address, parity) == 0) {
        }
    };
    if (thread() == 0) {
        for (u32 slot = 0; slot < 2; ++slot) {
            host_api->mbarrier_init(8 * slot, 32);        // full
            host_api->mbarrier_init(16 + 8 * slot, 2);    // empty
        }
        host_api->mbarrier_init_fence();
    }
    host_api->cta_barrier();
    u32 sum = 0;
    for (u32 round = 0; round < rounds; ++round) {
        const u32 slot = round % 2, phase = round / 2;
        const u32 full = 8 * slot, empty = 16 + 8 * slot, data = 128 + 128 * slot;
        if (warp == 0) {
            if (lane == 0) wait(empty, (phase & 1) ^ 1);
            host_api->warp_barrier();
            store(data + 4 * lane, round * 1000 + lane);
            host_api->mbarrier_arrive(full, 0);
        } else {
            wait(full, phase & 1);
            sum = sum * 7 + load(data + 4 * ((lane + warp) % 32));
            host_api->warp_barrier();
            if (lane == 0) host_api->mbarrier_arrive(empty, 0);
        }
    }
    out[thread()] = sum;
}
extern "C" void ring_waits(Call call) { ring<false>(call); }
extern "C" void ring_polls(Call call) { ring<true>(call); }

// try_wait says so when the phase has not ended, and lets the caller go on and end it.
extern "C" void poll_then_arrive(Call call) {
    make_barriers(1, 1);
    u32* out = static_cast<u32*>(call.o.data);
    if (thread() == 5) {
        out[0] = host_api->mbarrier_try_wait(0, 0);
        out[1] = host_api->mbarrier_try_wait(0, 1);  // of the phase before the first
        host_api->mbarrier_arrive(0, 0);
        while (host_api->mbarrier_try_wait(0, 0) == 0) {
        }
        out[2] = host_api->mbarrier_try_wait(0, 1);
        out[3] = 1;
    }
}

// Warps 0 and 1 hand words to warps 2 and 3, which tell them when they may write again.
extern "C" void named(Call call) {
    u32* out = static_cast<u32*>(call.o.data);
    const u32 warp = thread() / 32;
    u32 sum = 0;
    for (u32 round = 0; round < 8; ++round) {
        if (warp < 2) {
            if (round > 0) host_api->named_barrier(2, 128, 1);
            store(thread() * 4, round * 100 + thread());
            host_api->named_barrier(1, 128, 0);
        } else {
            host_api->named_barrier(1, 128, 1);
            sum = sum * 3 + load((127 - thread()) * 4);
            if (round < 7) host_api->named_barrier(2, 128, 0);
        }
    }
    out[thread()] = sum;
}

extern "C" void registers(Call) {
    if (thread() / 128 == 0) {
        host_api->set_max_registers(40, 0);
    } else {
        host_api->set_max_registers(232, 1);
    }
}

// One broken rule each, by number.
extern "C" void broken(Call call) {
    const u32 which = *static_cast<const u32*>(call.q.data), warp = thread() / 32;
    make_barriers(2, 2);
    switch (which) {
        case 0:  // one arrival of two
            if (thread() == 0) host_api->mbarrier_arrive(8, 0);
            host_api->mbarrier_wait(8, 0);
            break;
        case 1:
            while (host_api->mbarrier_try_wait(0, 0) == 0) {
            }
            break;
        case 2:  // bytes that no copy brings
            if (thread() < 2) host_api->mbarrier_arrive(0, 64 * thread());
            if (thread() == 37) host_api->mbarrier_wait(0, 0);
            break;
        case 3:
            host_api->mbarrier_arrive(24, 0);
            break;
        case 4:
            store(12, 1);
            host_api->mbarrier_arrive(8, 0);
            break;
        case 5:
            host_api->mbarrier_init(20, 1);
            break;
        case 6:
            host_api->mbarrier_init(24, 0);
            break;
        case 7:
            host_api->mbarrier_wait(0, 2);
            break;
        case 8:
            host_api->mbarrier_arrive(4096, 0);
            break;
        case 9:  // three of four warps
            if (warp < 3) host_api->named_barrier(1, 128, 1);
            break;
        case 10:
            host_api->named_barrier(0, 128, 1);
            break;
        case 11:
            host_api->named_barrier(1, 48, 1);
            break;
        case 12:
            host_api->named_barrier(1, warp == 0 ? 64 : 96, 0);
            break;
        case 13:
            host_api->named_barrier(1 + (thread() == 7), 128, 1);
            break;
        case 14:
            host_api->set_max_registers(100, 1);
            break;
        case 15:
            host_api->set_max_registers(264, 1);
            break;
        case 16:
            if (warp < 3) host_api->set_max_registers(40, 0);
            break;
        case 17:
            host_api->set_max_registers(40, 0);
            host_api->set_max_registers(32, 1);
            break;
        case 18:
            host_api->set_max_registers(thread() == 3 ? 40 : 48, 0);
            break;
        case 19:
            if (warp < 2) host_api->mbarrier_wait(0, 0);
            if (warp >= 2) host_api->cta_barrier();
            break;
        case 20:  // a third arrival while bytes are missing
            if (thread() < 3) host_api->mbarrier_arrive(0, 16);
            break;
    }
}
extern "C" void too_many_registers(Call) { host_api->set_max_registers(232, 1); }
extern "C" void loose_warp(Call) { if (thread() >= 128) host_api->set_max_registers(40, 0); }
)";

const TestKernels& kernels() {
    static const TestKernels loaded(kBody);
    return loaded;
}

std::string fault_of(u32 which) {
    const Error error = error_of(
        [&] { kernels().run("broken", &which, nullptr, {.threads = 128, .shared_bytes = 1024}); });
    CHECK(error.code() == ErrorCode::kLaunchFailed);
    return error.message();
}

std::string fault_of(const char* name, int threads) {
    return error_of([&] { kernels().run(name, nullptr, nullptr, {.threads = threads}); }).message();
}

}  // namespace

TEST_CASE("a ring guarded by mbarriers survives every schedule", "[host_machine][mbarrier]") {
    std::array<u32, 96> expected{};
    for (u32 thread = 32; thread < 96; ++thread) {
        for (u32 round = 0; round < 16; ++round) {
            const u32 warp = thread / 32, lane = thread % 32;
            expected[thread] = expected[thread] * 7 + round * 1000 + (lane + warp) % 32;
        }
    }
    for (uint64_t seed = 0; seed < 30; ++seed) {
        for (const char* name : {"ring_waits", "ring_polls"}) {
            std::array<u32, 96> out{};
            kernels().run(name, nullptr, out.data(), {.threads = 96, .seed = seed});
            CHECK(out == expected);
        }
    }
}

TEST_CASE("try_wait reports and does not block for good", "[host_machine][mbarrier]") {
    std::array<u32, 4> out{};
    kernels().run("poll_then_arrive", nullptr, out.data(), {});
    CHECK(out == std::array<u32, 4>{0, 1, 0, 1});
}

TEST_CASE("named barriers let some warps wait for others", "[host_machine][mbarrier]") {
    std::array<u32, 128> expected{};
    for (u32 thread = 64; thread < 128; ++thread) {
        for (u32 round = 0; round < 8; ++round) {
            expected[thread] = expected[thread] * 3 + round * 100 + 127 - thread;
        }
    }
    for (uint64_t seed = 0; seed < 30; ++seed) {
        std::array<u32, 128> out{};
        kernels().run("named", nullptr, out.data(), {.threads = 128, .seed = seed});
        CHECK(out == expected);
    }
}

TEST_CASE("mbarriers that never complete are faults with their numbers",
          "[host_machine][mbarrier]") {
    const std::string missing = fault_of(0);
    CHECK_THAT(missing, Contains("can never go on"));
    CHECK_THAT(missing, Contains("lanes 0-31 wait at an mbarrier"));
    CHECK_THAT(missing, Contains("mbarrier at 8, where 128 lanes wait: phase 0 lacks 1 of 2"));
    CHECK_THAT(fault_of(1), Contains("mbarrier at 0, where 128 lanes wait: phase 0 lacks 2 of 2"));
    CHECK_THAT(fault_of(2), Contains("where 1 lanes wait: phase 0 lacks 0 of 2 arrivals and 64"));
    CHECK_THAT(fault_of(19), Contains("wait at cta_barrier"));
}

TEST_CASE("broken rules of mbarriers are faults", "[host_machine][mbarrier]") {
    CHECK_THAT(fault_of(3), Contains("mbarrier_arrive(24): no mbarrier was initialised there"));
    CHECK_THAT(fault_of(5), Contains("mbarrier_init: shared address 20 is not aligned"));
    CHECK_THAT(fault_of(6), Contains("1 to 2^20 - 1 arrivals"));
    CHECK_THAT(fault_of(7), Contains("a parity is 0 or 1"));
    CHECK_THAT(fault_of(8), Contains("outside the CTA's 1024 bytes"));
    CHECK_THAT(fault_of(20), Contains("mbarrier_arrive(0): every arrival of the phase has come"));
    if (!skips_races()) CHECK_THAT(fault_of(4), Contains("mbarrier_arrive(8): the mbarrier there"));
}

TEST_CASE("broken rules of named barriers are faults", "[host_machine][mbarrier]") {
    CHECK_THAT(fault_of(9), Contains("warp 2: lanes 0-31 wait at a named barrier"));
    CHECK_THAT(fault_of(9), Contains("warp 3: lanes 0-31 have exited"));
    CHECK_THAT(fault_of(10), Contains("barriers are 1 to 15"));
    CHECK_THAT(fault_of(11), Contains("named_barrier_sync(48): the threads of a barrier"));
    CHECK_THAT(fault_of(12), Contains("different counts of threads"));
    CHECK_THAT(fault_of(13), Contains("named_barrier_sync(1): the lanes of a warp differ"));
}

TEST_CASE("register counts are checked", "[host_machine][mbarrier]") {
    CHECK_NOTHROW(kernels().run("registers", nullptr, nullptr, {.threads = 256}));
    CHECK_THAT(fault_of(14), Contains("set_max_registers_up(100): the count is a multiple of 8"));
    CHECK_THAT(fault_of(15), Contains("24 to 256"));
    CHECK_THAT(fault_of(16), Contains("the warps of a warpgroup differ"));
    CHECK_THAT(fault_of(17), Contains("set_max_registers_up(32): the count before"));
    CHECK_THAT(fault_of(18), Contains("the lanes of a warp differ"));
    CHECK_THAT(fault_of("too_many_registers", 384), Contains("more registers than the 65536"));
    CHECK_THAT(fault_of("loose_warp", 160), Contains("no whole warpgroup"));
}
