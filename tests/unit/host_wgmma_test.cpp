// wgmma on the host device against plain matrix arithmetic, for every kind of operand and layout in
// shared memory. The layouts are packed here as the PTX ISA draws them: rows of a tile in atoms of
// eight, 16-byte chunks permuted by the row.
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "host/warpgroup_multiply.h"
#include "host_kernel.h"
#include "tensor/half.h"
#include "wgmma_cases.h"

using namespace sagejit;
using namespace sagejit::abi;
using test::WgmmaCase;
using test::WgmmaJob;

namespace {

constexpr const char* kBody = R"(
struct Job {
    u32 kind, n, accumulate, mn_major, registers, steps, a_step, b_step, image_bytes, padding;
    u64 a_descriptor, b_descriptor;
    u32 d[64][256];
    u32 a[8][128][4];
    u8 image[98304];
};
extern "C" void multiply(Call call) {
    const Job& job = *static_cast<const Job*>(call.q.data);
    auto* out = static_cast<u32 (*)[256]>(call.o.data);
    const u32 thread = host_api->thread_index();
    for (u32 at = thread * 16; at < job.image_bytes; at += 128 * 16) {
        host_api->store_shared(at, job.image + at, 16);
    }
    host_api->fence_async_shared();
    host_api->cta_barrier();
    const u32 warp = thread / 32, g = thread % 32 / 4, q = thread % 4;
    const auto row = [&](u32 i) { return 16 * warp + g + 8 * (i / 2 % 2); };
    const auto column = [&](u32 i) { return i / 4 * 8 + 2 * q + i % 2; };
    u32 d[128], a[8][4];
    for (u32 i = 0; i < job.n / 2; ++i) d[i] = job.d[row(i)][column(i)];
    for (u32 step = 0; step < job.steps; ++step) {
        for (u32 i = 0; i < 4; ++i) a[step][i] = job.a[step][thread][i];
    }
    host_api->warpgroup_fence();
    for (u32 step = 0; step < job.steps; ++step) {
        WgmmaOperation operation = {};
        operation.kind = job.kind;
        operation.n = job.n;
        operation.accumulate = step > 0 || job.accumulate;
        operation.b_mn_major = job.mn_major;
        operation.a_descriptor = job.a_descriptor + step * job.a_step;
        operation.b_descriptor = job.b_descriptor + step * job.b_step;
        operation.a = job.registers ? a[step] : nullptr;
        operation.d = d;
        host_api->wgmma(operation);
    }
    host_api->warpgroup_commit();
    host_api->warpgroup_wait(0);
    for (u32 i = 0; i < job.n / 2; ++i) out[row(i)][column(i)] = d[i];
}
)";

const TestKernels& kernels() {
    static const TestKernels loaded(kBody);
    return loaded;
}

void check(const WgmmaCase& each, uint64_t seed) {
    CAPTURE(each.kind, each.n, each.swizzle, each.mn_major, each.registers, each.accumulate, seed);
    const std::unique_ptr<WgmmaJob> job = test::make_job(each, static_cast<u32>(seed) + each.n);
    auto out = std::make_unique<u32[]>(64 * 256);
    kernels().run(
        "multiply", job.get(), out.get(),
        {.threads = 128, .shared_bytes = static_cast<int>(job->image_bytes), .seed = seed});
    const std::vector<u32> expected = test::expected_product(each, *job);
    int wrong = 0;
    for (u32 row = 0; row < 64; ++row) {
        for (u32 column = 0; column < each.n; ++column) {
            wrong += out[row * 256 + column] != expected[row * each.n + column];
        }
    }
    CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("wgmma multiplies int8 from every K-major layout", "[host_machine][wgmma]") {
    for (const u32 swizzle : {0, 32, 64, 128}) {
        for (const u32 n : {8, 24, 64, 96, 128, 256}) {
            check({.kind = 0, .n = n, .swizzle = swizzle, .accumulate = n % 64 == 0}, n);
            check({.kind = 0, .n = n, .swizzle = swizzle, .registers = true}, 0);
        }
    }
}

TEST_CASE("wgmma multiplies 16-bit types from every layout", "[host_machine][wgmma]") {
    for (const u32 kind : {1, 2}) {
        for (const u32 swizzle : {0, 32, 64, 128}) {
            for (const u32 n : {8, 40, 64, 128, 192}) {
                check({.kind = kind, .n = n, .swizzle = swizzle, .accumulate = true}, n);
                if (swizzle == 0) continue;
                check({.kind = kind, .n = n, .swizzle = swizzle, .mn_major = true}, n + 1);
                check({.kind = kind,
                       .n = n,
                       .swizzle = swizzle,
                       .mn_major = true,
                       .registers = true,
                       .accumulate = true},
                      0);
            }
        }
    }
}

TEST_CASE("wgmma multiplies e4m3", "[host_machine][wgmma]") {
    for (const u32 swizzle : {0, 32, 64, 128}) {
        for (const u32 n : {8, 72, 128, 256}) {
            check({.kind = 3, .n = n, .swizzle = swizzle, .accumulate = true}, 0);
            check({.kind = 3, .n = n, .swizzle = swizzle, .registers = true}, n);
        }
    }
}

TEST_CASE("wgmma's vector code agrees with its plain code bit for bit", "[wgmma]") {
    const host::WarpgroupMultiplier fast = host::avx2_warpgroup_multiplier();
    if (fast == nullptr) {
        WARN("skipped: no AVX2");
        return;
    }
    std::mt19937 random(7);
    const auto tiles = std::make_unique<host::OperandTiles>();
    for (u32 kind = 0; kind < 4; ++kind) {
        for (const bool any_bits : {false, true}) {
            for (auto& row : tiles->a) {
                for (u16& element : row) element = test::random_element(kind, any_bits, random);
            }
            for (auto& row : tiles->b) {
                for (u16& element : row) element = test::random_element(kind, any_bits, random);
            }
            for (const bool accumulate : {false, true}) {
                alignas(64) static u32 one[64][256], other[64][256];
                for (int i = 0; i < 64 * 256; ++i) {
                    const f32 value = static_cast<f32>(random() % 1000) / 64 - 5;
                    one[i / 256][i % 256] = other[i / 256][i % 256] = std::bit_cast<u32>(value);
                }
                const auto as = static_cast<host::WgmmaKind>(kind);
                fast(as, *tiles, 256, accumulate, one);
                host::multiply_warpgroup_plain(as, *tiles, 256, accumulate, other);
                int differ = 0;
                for (int i = 0; i < 64 * 256; ++i) {
                    const u32 x = one[i / 256][i % 256], y = other[i / 256][i % 256];
                    const bool nan = kind != 0 && std::isnan(std::bit_cast<f32>(x)) &&
                                     std::isnan(std::bit_cast<f32>(y));
                    differ += x != y && !nan;
                }
                CAPTURE(kind, any_bits, accumulate);
                CHECK(differ == 0);
            }
        }
    }
}

TEST_CASE("e4m3 bytes have their values", "[wgmma]") {
    CHECK(host::e4m3_to_float(0x00) == 0.0f);
    CHECK(std::signbit(host::e4m3_to_float(0x80)));
    CHECK(host::e4m3_to_float(0x01) == 0x1p-9f);
    CHECK(host::e4m3_to_float(0x07) == 7 * 0x1p-9f);
    CHECK(host::e4m3_to_float(0x08) == 0x1p-6f);
    CHECK(host::e4m3_to_float(0x38) == 1.0f);
    CHECK(host::e4m3_to_float(0xb9) == -1.125f);
    CHECK(host::e4m3_to_float(0x7e) == 448.0f);
    CHECK(std::isnan(host::e4m3_to_float(0x7f)));
    CHECK(std::isnan(host::e4m3_to_float(0xff)));
}
