// The warp collectives of the host device against plain matrix arithmetic. Fragments are packed
// and unpacked element by element as the PTX ISA defines them ("Warp Level Matrix Instructions":
// "Matrix Fragments for mma.m16n8k16", "for mma.m16n8k32", "ldmatrix").
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "host/api.h"
#include "host/fragments.h"
#include "host_kernel.h"
#include "tensor/half.h"

using namespace sagejit;
using namespace sagejit::abi;

namespace {

constexpr const char* kBody = R"(
// What lane `lane` holds at index i of its fragments.
static u32 group(u32 lane) { return lane / 4; }
static u32 in_group(u32 lane) { return lane % 4; }
static u32 row_a8(u32 lane, u32 i) { return group(lane) + (i < 4 || (i >= 8 && i < 12) ? 0 : 8); }
static u32 column_a8(u32 lane, u32 i) { return in_group(lane) * 4 + (i & 3) + (i < 8 ? 0 : 16); }
static u32 row_b8(u32 lane, u32 i) { return in_group(lane) * 4 + (i & 3) + (i < 4 ? 0 : 16); }
static u32 row_a16(u32 lane, u32 i) { return group(lane) + (i < 2 || (i >= 4 && i < 6) ? 0 : 8); }
static u32 column_a16(u32 lane, u32 i) { return in_group(lane) * 2 + (i & 1) + (i < 4 ? 0 : 8); }
static u32 row_b16(u32 lane, u32 i) { return in_group(lane) * 2 + (i & 1) + (i < 2 ? 0 : 8); }
static u32 row_c(u32 lane, u32 i) { return group(lane) + (i < 2 ? 0 : 8); }
static u32 column_c(u32 lane, u32 i) { return in_group(lane) * 2 + (i & 1); }

struct Bytes { u8 a[16][32]; u8 b[32][8]; u32 c[16][8]; };
struct Halves { u16 a[16][16]; u16 b[16][8]; u32 c[16][8]; };

static void pack(const Bytes& x, u32 lane, u32* a, u32* b) {
    for (u32 i = 0; i < 4; ++i) a[i] = 0;
    for (u32 i = 0; i < 2; ++i) b[i] = 0;
    for (u32 i = 0; i < 16; ++i)
        a[i / 4] |= u32(x.a[row_a8(lane, i)][column_a8(lane, i)]) << 8 * (i % 4);
    for (u32 i = 0; i < 8; ++i) b[i / 4] |= u32(x.b[row_b8(lane, i)][group(lane)]) << 8 * (i % 4);
}
static void pack(const Halves& x, u32 lane, u32* a, u32* b) {
    for (u32 i = 0; i < 4; ++i) a[i] = 0;
    for (u32 i = 0; i < 2; ++i) b[i] = 0;
    for (u32 i = 0; i < 8; ++i)
        a[i / 2] |= u32(x.a[row_a16(lane, i)][column_a16(lane, i)]) << 16 * (i % 2);
    for (u32 i = 0; i < 4; ++i) b[i / 2] |= u32(x.b[row_b16(lane, i)][group(lane)]) << 16 * (i % 2);
}

// Every warp multiplies operands of its own.
template <typename Matrices, typename Element>
static void multiply(const Call& call, void (*mma)(Element*, const u32*, u32, u32)) {
    const u32 thread = host_api->thread_index(), lane = thread % 32;
    const Matrices& x = static_cast<const Matrices*>(call.q.data)[thread / 32];
    u32 (*result)[8] = static_cast<u32 (*)[16][8]>(call.o.data)[thread / 32];
    u32 a[4], b[2];
    Element c[4];
    pack(x, lane, a, b);
    for (u32 i = 0; i < 4; ++i)
        c[i] = __builtin_bit_cast(Element, x.c[row_c(lane, i)][column_c(lane, i)]);
    mma(c, a, b[0], b[1]);
    for (u32 i = 0; i < 4; ++i)
        result[row_c(lane, i)][column_c(lane, i)] = __builtin_bit_cast(u32, c[i]);
}
extern "C" void mma_s8(Call call) { multiply<Bytes>(call, host_api->mma_s8); }
extern "C" void mma_u8s8(Call call) { multiply<Bytes>(call, host_api->mma_u8s8); }
extern "C" void mma_f16_f32(Call call) { multiply<Halves>(call, host_api->mma_f16_f32); }

// Accumulators of two halves a register.
static void mma_packed(u32* c, const u32* a, u32 b0, u32 b1) {
    u32 packed[2] = {c[0] | c[1] << 16, c[2] | c[3] << 16};
    host_api->mma_f16_f16(packed, a, b0, b1);
    for (u32 i = 0; i < 4; ++i) c[i] = packed[i / 2] >> 16 * (i % 2) & 0xffff;
}
extern "C" void mma_f16_f16(Call call) { multiply<Halves>(call, mma_packed); }

// Copies four 8x8 matrices into shared memory, 32 bytes a row so that addresses matter.
template <int transposed>
static void read_matrices(const Call& call) {
    const u32 lane = host_api->thread_index();
    const auto* rows = static_cast<const u16 (*)[8]>(call.q.data);
    host_api->store_shared(lane * 32, rows[lane], 16);
    host_api->warp_barrier();
    u32 result[4];
    host_api->ldmatrix_x4(result, lane * 32, transposed);
    for (u32 i = 0; i < 4; ++i) static_cast<u32 (*)[4]>(call.o.data)[lane][i] = result[i];
}
extern "C" void ldmatrix(Call call) { read_matrices<0>(call); }
// What ldmatrix reads of matrices that stmatrix wrote, rows in reverse.
extern "C" void stmatrix(Call call) {
    const u32 lane = host_api->thread_index();
    u32 words[4];
    for (u32 i = 0; i < 4; ++i) words[i] = static_cast<const u32 (*)[4]>(call.q.data)[lane][i];
    host_api->stmatrix_x4((31 - lane) * 32, words);
    host_api->warp_barrier();
    host_api->ldmatrix_x4(words, (31 - lane) * 32, 0);
    for (u32 i = 0; i < 4; ++i) static_cast<u32 (*)[4]>(call.o.data)[lane][i] = words[i];
    u32 row[4];
    host_api->load_shared(row, (31 - lane) * 32, 16);
    for (u32 i = 0; i < 4; ++i) static_cast<u32 (*)[4]>(call.o.data)[32 + lane][i] = row[i];
}
extern "C" void ldmatrix_transposed(Call call) { read_matrices<1>(call); }

// Butterflies and votes, one after another with nothing in between.
extern "C" void exchange(Call call) {
    const u32 thread = host_api->thread_index();
    u32* out = static_cast<u32 (*)[8]>(call.o.data)[thread];
    for (u32 i = 0; i < 5; ++i) out[i] = host_api->shuffle_xor(thread * 1000 + i, 1u << i);
    out[5] = host_api->vote_any(thread == 37);
    out[6] = host_api->vote_any(0);
    out[7] = host_api->shuffle_xor(thread, 31);
}

extern "C" void scalars(Call call) {
    const f32* in = static_cast<const f32*>(call.q.data);
    f32* out = static_cast<f32*>(call.o.data);
    if (host_api->thread_index() != 0) return;
    out[0] = host_api->exp2(in[0]);
    out[1] = host_api->exp2(in[1]);
    out[2] = host_api->log2(in[2]);
    out[3] = host_api->fma(in[3], in[3], in[4]);
}
)";

const TestKernels& kernels() {
    static const TestKernels loaded(kBody);
    return loaded;
}

constexpr int kWarps = 3;
constexpr TestKernels::Geometry kGeometry{.threads = 32 * kWarps};
using Matrix = std::array<std::array<u32, 8>, 16>;

struct Bytes {
    u8 a[16][32];
    u8 b[32][8];
    Matrix c;
};
struct Halves {
    u16 a[16][16];
    u16 b[16][8];
    Matrix c;
};

template <typename ByteA>
Matrix product(const Bytes& x) {
    Matrix result = x.c;
    for (int m = 0; m < 16; ++m) {
        for (int n = 0; n < 8; ++n) {
            int64_t sum = static_cast<i32>(x.c[m][n]);
            for (int k = 0; k < 32; ++k) {
                sum += static_cast<ByteA>(x.a[m][k]) * static_cast<i8>(x.b[k][n]);
            }
            result[m][n] = static_cast<u32>(sum);
        }
    }
    return result;
}

Matrix product(const Halves& x, double (*load)(u32), u32 (*round)(double)) {
    Matrix result;
    for (int m = 0; m < 16; ++m) {
        for (int n = 0; n < 8; ++n) {
            double sum = 0;
            for (int k = 0; k < 16; ++k) {
                sum += static_cast<double>(fp16_to_float(x.a[m][k])) * fp16_to_float(x.b[k][n]);
            }
            result[m][n] = round(sum + load(x.c[m][n]));
        }
    }
    return result;
}

double load_f32(u32 bits) { return std::bit_cast<f32>(bits); }
double load_f16(u32 bits) { return fp16_to_float(static_cast<u16>(bits)); }
u32 round_f32(double value) { return std::bit_cast<u32>(static_cast<f32>(value)); }
u32 round_f16(double value) { return fp16_from_double(value); }

std::vector<Bytes> random_bytes(u32 seed) {
    std::mt19937 random(seed);
    std::vector<Bytes> operands(kWarps);
    for (Bytes& x : operands) {
        for (auto& row : x.a) std::generate(std::begin(row), std::end(row), random);
        for (auto& row : x.b) std::generate(std::begin(row), std::end(row), random);
        for (auto& row : x.c) std::generate(row.begin(), row.end(), random);
    }
    return operands;
}

// Halves of all magnitudes, subnormal ones included; `exponents` limits the largest.
std::vector<Halves> random_halves(u32 seed, u32 exponents, bool half_accumulator) {
    std::mt19937 random(seed);
    const auto half = [&] {
        return static_cast<u16>((random() & 0x83ff) | random() % exponents << 10);
    };
    std::vector<Halves> operands(kWarps);
    for (Halves& x : operands) {
        for (auto& row : x.a) std::generate(std::begin(row), std::end(row), half);
        for (auto& row : x.b) std::generate(std::begin(row), std::end(row), half);
        for (auto& row : x.c) {
            for (u32& c : row) {
                c = half_accumulator ? half() : round_f32(fp16_to_float(half()) / 3.0);
            }
        }
    }
    return operands;
}

template <typename Operands>
std::vector<Matrix> run(const char* kernel, const std::vector<Operands>& operands, uint64_t seed) {
    std::vector<Matrix> result(operands.size());
    TestKernels::Geometry geometry = kGeometry;
    geometry.seed = seed;
    kernels().run(kernel, operands.data(), result.data(), geometry);
    return result;
}

}  // namespace

TEST_CASE("the host device multiplies int8 fragments", "[host_machine]") {
    for (u32 seed = 0; seed < 8; ++seed) {
        const std::vector<Bytes> operands = random_bytes(seed);
        const std::vector<Matrix> s8 = run("mma_s8", operands, seed);
        const std::vector<Matrix> u8s8 = run("mma_u8s8", operands, seed);
        for (int warp = 0; warp < kWarps; ++warp) {
            CHECK(s8[warp] == product<i8>(operands[warp]));
            CHECK(u8s8[warp] == product<u8>(operands[warp]));
        }
    }
}

TEST_CASE("int8 products wrap around", "[host_machine]") {
    std::vector<Bytes> operands(kWarps);
    for (Bytes& x : operands) {
        std::fill(&x.a[0][0], &x.a[0][0] + sizeof(x.a), 0x80);
        std::fill(&x.b[0][0], &x.b[0][0] + sizeof(x.b), 0x80);
        for (auto& row : x.c) row.fill(0x7fffffff);
    }
    // 32 products of -128 * -128; 128 * -128 unsigned.
    CHECK(run("mma_s8", operands, 0)[0][15][7] == 0x7fffffffu + 32u * 16384u);
    CHECK(run("mma_u8s8", operands, 0)[0][15][7] == 0x7fffffffu - 32u * 16384u);
}

TEST_CASE("the host device multiplies fp16 fragments", "[host_machine]") {
    for (u32 seed = 0; seed < 8; ++seed) {
        const std::vector<Halves> operands = random_halves(seed, 31, false);
        const std::vector<Matrix> result = run("mma_f16_f32", operands, seed);
        for (int warp = 0; warp < kWarps; ++warp) {
            CHECK(result[warp] == product(operands[warp], load_f32, round_f32));
        }
        // Small enough that few results overflow.
        const std::vector<Halves> small = random_halves(seed, 20, true);
        const std::vector<Matrix> halves = run("mma_f16_f16", small, seed);
        for (int warp = 0; warp < kWarps; ++warp) {
            CHECK(halves[warp] == product(small[warp], load_f16, round_f16));
        }
    }
}

TEST_CASE("fp16 products keep infinity and NaN", "[host_machine]") {
    std::vector<Halves> operands(kWarps);
    Halves& x = operands[1];
    x.a[2][5] = 0x7c00;              // infinity
    x.b[5][3] = 0xbc00;              // -1; the other columns take 0 * infinity
    x.a[9][0] = x.b[0][6] = 0x7bff;  // 65504 squared: beyond fp16
    const Matrix f32_result = run("mma_f16_f32", operands, 0)[1];
    CHECK(f32_result[2][3] == 0xff800000);
    CHECK(std::isnan(std::bit_cast<f32>(f32_result[2][4])));
    CHECK(std::bit_cast<f32>(f32_result[9][6]) == 65504.0f * 65504.0f);
    const Matrix f16_result = run("mma_f16_f16", operands, 0)[1];
    CHECK(f16_result[2][3] == 0xfc00);
    CHECK(f16_result[2][4] == 0x7fff);
    CHECK(f16_result[9][6] == 0x7c00);
    CHECK(f16_result[0][0] == 0);
}

TEST_CASE("products do not depend on the instruction set", "[host_machine]") {
    const host::Multipliers* fast = host::avx2_multipliers();
    if (fast == nullptr) {
        WARN("skipped: this CPU has no AVX2");
        return;
    }
    const host::Multipliers& plain = host::plain_multipliers;
    std::mt19937 random(1);
    for (int round = 0; round < 300; ++round) {
        host::Operands x;
        // From ordinary numbers to any bits at all, NaN included.
        const u32 keep = round % 3 == 0 ? 0xffff : round % 3 == 1 ? 0xbfff : 0xb3ff;
        for (auto& row : x.a)
            std::generate(std::begin(row), std::end(row), [&] { return random() & keep; });
        for (auto& row : x.b)
            std::generate(std::begin(row), std::end(row), [&] { return random() & keep; });
        for (auto& row : x.c)
            std::generate(std::begin(row), std::end(row), [&] { return random() & keep; });
        for (const auto member : {&host::Multipliers::s8, &host::Multipliers::u8s8,
                                  &host::Multipliers::f16_f32, &host::Multipliers::f16_f16}) {
            host::Operands a = x, b = x;
            (plain.*member)(a);
            (fast->*member)(b);
            int different = 0;
            for (int m = 0; m < 16; ++m) {
                for (int n = 0; n < 8; ++n) {
                    // NaN has many spellings in fp32.
                    const bool both_nan = std::isnan(std::bit_cast<f32>(a.c[m][n])) &&
                                          std::isnan(std::bit_cast<f32>(b.c[m][n]));
                    different += a.c[m][n] != b.c[m][n] && !both_nan;
                }
            }
            CHECK(different == 0);
        }
    }
}

TEST_CASE("the host device rounds to fp16 once", "[host_machine]") {
    // 1 + 2^-11 is a tie, which the smallest of products breaks; rounding to fp32 first would
    // lose it.
    std::vector<Halves> operands(kWarps);
    Halves& x = operands[0];
    x.a[0][0] = x.b[0][0] = 0x3c00;  // 1
    x.a[0][1] = 0x1000;              // 2^-11
    x.b[1][0] = 0x3c00;
    CHECK(run("mma_f16_f16", operands, 0)[0][0][0] == 0x3c00);
    x.a[0][2] = x.b[2][0] = 0x0001;  // 2^-48
    CHECK(run("mma_f16_f16", operands, 0)[0][0][0] == 0x3c01);
    x.b[2][0] = 0x8001;
    x.c[0][0] = 0x1000;  // another 2^-11: 1 + 2^-10, exactly representable, less 2^-48
    CHECK(run("mma_f16_f16", operands, 0)[0][0][0] == 0x3c01);
}

TEST_CASE("ldmatrix distributes rows and columns", "[host_machine]") {
    u16 matrices[4][8][8];
    for (int j = 0; j < 4; ++j) {
        for (int row = 0; row < 8; ++row) {
            for (int column = 0; column < 8; ++column) {
                matrices[j][row][column] = static_cast<u16>(1000 * j + 10 * row + column);
            }
        }
    }
    u32 rows[32][4], columns[32][4];
    kernels().run("ldmatrix", matrices, rows, {});
    kernels().run("ldmatrix_transposed", matrices, columns, {.seed = 3});
    for (int lane = 0; lane < 32; ++lane) {
        for (int j = 0; j < 4; ++j) {
            for (int i = 0; i < 2; ++i) {
                const int line = lane / 4, place = 2 * (lane % 4) + i;
                CHECK((rows[lane][j] >> 16 * i & 0xffff) == matrices[j][line][place]);
                CHECK((columns[lane][j] >> 16 * i & 0xffff) == matrices[j][place][line]);
            }
        }
    }
}

TEST_CASE("stmatrix writes rows where ldmatrix reads them", "[host_machine]") {
    u32 words[32][4], read[64][4];
    for (u32 lane = 0; lane < 32; ++lane) {
        for (u32 i = 0; i < 4; ++i) words[lane][i] = 100 * lane + i;
    }
    kernels().run("stmatrix", words, read, {.seed = 5});
    for (u32 lane = 0; lane < 32; ++lane) {
        for (u32 i = 0; i < 4; ++i) {
            CHECK(read[lane][i] == words[lane][i]);
            // The row that lane gave the address of: lane % 8 of matrix lane / 8.
            CHECK(read[32 + lane][i] == words[lane % 8 * 4 + i][lane / 8]);
        }
    }
}

TEST_CASE("shuffles and votes stay within a warp", "[host_machine]") {
    for (const uint64_t seed : {0, 1, 2, 3, 4, 5}) {
        u32 out[64][8];
        kernels().run("exchange", nullptr, out, {.threads = 64, .seed = seed});
        for (u32 thread = 0; thread < 64; ++thread) {
            for (u32 i = 0; i < 5; ++i) CHECK(out[thread][i] == (thread ^ 1u << i) * 1000 + i);
            CHECK(out[thread][5] == (thread >= 32));
            CHECK(out[thread][6] == 0);
            CHECK(out[thread][7] == (thread ^ 31));
        }
    }
}

TEST_CASE("the host device computes exponentials, logarithms and fma", "[host_machine]") {
    const f32 in[5] = {-1.5f, -127.0f, 10.0f, 1 + 0x1p-12f, -1.0f};
    f32 out[4];
    kernels().run("scalars", in, out, {});
    CHECK(out[0] == std::exp2(-1.5f));
    CHECK(out[1] == 0);  // 2^-127 is subnormal
    CHECK(out[2] == std::log2(10.0f));
    CHECK(out[3] == 0x1p-11f + 0x1p-24f);
}
