// Asynchronous copies on the host device: what a kernel may rely on, and what it may not.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include "host_kernel.h"

using namespace sagejit::abi;

namespace {

constexpr const char* kBody = R"(
// Four groups of copies; thread t then reads what the next thread copied, once all but `pending`
// of the groups are waited for.
template <bool wait>
static void copy(const Call& call, u32 pending) {
    const u32 thread = host_api->thread_index(), threads = 64, next = (thread + 1) % threads;
    const auto* in = static_cast<const u32 (*)[64][4]>(call.q.data);
    auto* out = static_cast<u32 (*)[64][4]>(call.o.data);
    for (u32 group = 0; group < 4; ++group) {
        host_api->cp_async_16((group * threads + thread) * 16, in[group][thread], 16);
        host_api->cp_async_commit();
    }
    if (wait) host_api->cp_async_wait(pending);
    host_api->cta_barrier();
    for (u32 group = 0; group < 4; ++group) {
        host_api->load_shared(out[group][thread], (group * threads + next) * 16, 16);
    }
}
extern "C" void wait_all(Call call) { copy<true>(call, 0); }
extern "C" void wait_two(Call call) { copy<true>(call, 2); }
extern "C" void forget(Call call) { copy<false>(call, 0); }

// Waiting for committed groups says nothing of a copy that was not committed.
extern "C" void uncommitted(Call call) {
    const u32 thread = host_api->thread_index();
    host_api->cp_async_16(thread * 16, static_cast<const u32 (*)[4]>(call.q.data)[thread], 16);
    host_api->cp_async_wait(0);
    host_api->load_shared(static_cast<u32 (*)[4]>(call.o.data)[thread], thread * 16, 16);
}

// Lane t copies its first t bytes, up to 16, from the end of the input.
extern "C" void partial(Call call) {
    const u32 thread = host_api->thread_index(), bytes = thread < 16 ? thread : 16;
    const u8* end = static_cast<const u8*>(call.q.data) + 16;
    host_api->cp_async_16(thread * 16, bytes == 0 ? nullptr : end - bytes, bytes);
    host_api->cp_async_commit();
    host_api->cp_async_wait(0);
    host_api->load_shared(static_cast<u32 (*)[4]>(call.o.data)[thread], thread * 16, 16);
}

// A ring of two buffers, refilled while it is read: the shape of the attention main loop.
extern "C" void ring(Call call) {
    const u32 thread = host_api->thread_index(), steps = 16;
    const auto* in = static_cast<const u32 (*)[64][4]>(call.q.data);
    auto* out = static_cast<u32*>(call.o.data);
    const auto fetch = [&](u32 step) {
        if (step < steps) host_api->cp_async_16((step % 2 * 64 + thread) * 16, in[step][thread], 16);
        host_api->cp_async_commit();
    };
    u32 sum = 0;
    fetch(0);
    for (u32 step = 0; step < steps; ++step) {
        fetch(step + 1);
        host_api->cp_async_wait(1);
        host_api->cta_barrier();
        u32 words[4];
        host_api->load_shared(words, (step % 2 * 64 + (thread * 5 + step) % 64) * 16, 16);
        sum = sum * 3 + words[step % 4];
        host_api->cta_barrier();
    }
    out[thread] = sum;
}
)";

const TestKernels& kernels() {
    static const TestKernels loaded(kBody);
    return loaded;
}

constexpr u32 kPoison = 0xffffffff;
using Groups = std::array<std::array<std::array<u32, 4>, 64>, 4>;

Groups numbered() {
    Groups groups;
    u32 next = 1;
    for (auto& group : groups) {
        for (auto& words : group) {
            for (u32& word : words) word = next++;
        }
    }
    return groups;
}

struct Tally {
    std::array<int, 4> right{}, poisoned{}, wrong{};  // words of each group
};

Tally run(const char* name, uint64_t seed) {
    const Groups in = numbered();
    Groups out{};
    kernels().run(name, &in, &out, {.threads = 64, .shared_bytes = 4096, .seed = seed});
    Tally tally;
    for (std::size_t group = 0; group < 4; ++group) {
        for (std::size_t thread = 0; thread < 64; ++thread) {
            for (std::size_t i = 0; i < 4; ++i) {
                const u32 word = out[group][thread][i];
                const bool right = word == in[group][(thread + 1) % 64][i];
                ++(right ? tally.right : word == kPoison ? tally.poisoned : tally.wrong)[group];
            }
        }
    }
    return tally;
}

}  // namespace

TEST_CASE("copies that are waited for have landed under every schedule", "[host_machine]") {
    for (uint64_t seed = 0; seed < 40; ++seed) {
        const Tally all = run("wait_all", seed);
        CHECK(all.right == std::array{256, 256, 256, 256});
    }
}

TEST_CASE("waiting for some groups leaves the rest in flight", "[host_machine]") {
    if (skips_races()) return;
    for (uint64_t seed = 0; seed < 40; ++seed) {
        const Tally some = run("wait_two", seed);
        CHECK(some.right[0] == 256);
        CHECK(some.right[1] == 256);
        CHECK(some.wrong == std::array{0, 0, 0, 0});
        if (seed == 0) CHECK(some.poisoned == std::array{0, 0, 256, 256});
    }
}

TEST_CASE("a forgotten wait shows", "[host_machine]") {
    if (skips_races()) return;
    int clean = 0, mixed = 0, nothing = 0;
    for (uint64_t seed = 0; seed < 40; ++seed) {
        const Tally tally = run("forget", seed);
        CHECK(tally.wrong == std::array{0, 0, 0, 0});
        const int right = std::accumulate(tally.right.begin(), tally.right.end(), 0);
        ++(right == 1024 ? clean : right == 0 ? nothing : mixed);
        if (seed == 0) CHECK(right == 0);
    }
    // Copies may land at once, much later, or anywhere in between.
    CHECK(clean > 0);
    CHECK(mixed > 0);
    CHECK(nothing > 0);
}

TEST_CASE("waiting does not cover copies outside a group", "[host_machine]") {
    const Groups in = numbered();
    Groups out{};
    kernels().run("uncommitted", &in, &out, {});
    CHECK(out[0][7] == std::array{kPoison, kPoison, kPoison, kPoison});
}

TEST_CASE("partial copies are filled with zeros", "[host_machine]") {
    // The input ends where its memory does, so that AddressSanitizer sees a byte too many.
    const auto in = std::make_unique<u8[]>(16);
    std::iota(in.get(), in.get() + 16, 1);
    for (const uint64_t seed : {0, 1, 2, 3, 4, 5}) {
        u8 out[32][16];
        kernels().run("partial", in.get(), out, {.seed = seed});
        for (int lane = 0; lane < 32; ++lane) {
            const int bytes = std::min(lane, 16);
            for (int i = 0; i < 16; ++i) CHECK(out[lane][i] == (i < bytes ? 17 - bytes + i : 0));
        }
    }
}

TEST_CASE("a ring of buffers survives every schedule", "[host_machine]") {
    std::vector<std::array<std::array<u32, 4>, 64>> in(16);
    u32 next = 1;
    for (auto& step : in) {
        for (auto& words : step) {
            for (u32& word : words) word = next++ * 2654435761u;
        }
    }
    std::array<u32, 64> expected{};
    for (u32 thread = 0; thread < 64; ++thread) {
        for (u32 step = 0; step < 16; ++step) {
            expected[thread] = expected[thread] * 3 + in[step][(thread * 5 + step) % 64][step % 4];
        }
    }
    for (uint64_t seed = 0; seed < 40; ++seed) {
        std::array<u32, 64> out{};
        kernels().run("ring", in.data(), out.data(),
                      {.threads = 64, .shared_bytes = 2048, .seed = seed});
        CHECK(out == expected);
    }
}
