// Bulk and tensor-map copies on the host device: edges, zeros outside, strides, swizzles, when they
// land, and the faults of wrong ones.
#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "error_of.h"
#include "host/host_tensor_map.h"
#include "host_kernel.h"

using namespace sagejit;
using namespace sagejit::abi;
using Catch::Matchers::Contains;

namespace {

constexpr const char* kBody = R"(
static u32 thread() { return host_api->thread_index(); }
static void make_barrier(u32 address, u32 arrivals) {
    if (thread() == 0) {
        host_api->mbarrier_init(address, arrivals);
        host_api->mbarrier_init_fence();
    }
    host_api->cta_barrier();
}
static void copy_out(Call call, u32 address, u32 bytes) {
    u8* out = static_cast<u8*>(call.o.data);
    for (u32 at = thread() * 16; at < bytes; at += 32 * 16) {
        host_api->load_shared(out + at, address + at, 16);
    }
}

struct Request { i32 coordinates[4]; u32 bytes, destination; };

// Copies a box to shared memory, and that to the output.
extern "C" void tensor(Call call) {
    const Request& in = *static_cast<const Request*>(call.q.data);
    make_barrier(0, 1);
    if (thread() == 0) {
        host_api->prefetch_tensor_map(&call.v_map);
        host_api->mbarrier_arrive(0, in.bytes);
        host_api->copy_tensor_4d(in.destination, &call.v_map, in.coordinates, 0);
    }
    host_api->mbarrier_wait(0, 0);
    copy_out(call, in.destination, in.bytes);
}

// Eight bulk copies of 64 bytes, on two barriers, read in the order of the barriers.
extern "C" void bulk(Call call) {
    const u8* in = static_cast<const u8*>(call.q.data);
    if (thread() == 0) {
        host_api->mbarrier_init(0, 1);
        host_api->mbarrier_init(8, 1);
        host_api->mbarrier_init_fence();
    }
    host_api->cta_barrier();
    if (thread() == 0) {
        for (u32 i = 0; i < 8; ++i) host_api->copy_bulk(64 + 64 * i, in + 64 * i, 64, i % 2 * 8);
        host_api->mbarrier_arrive(0, 256);
        host_api->mbarrier_arrive(8, 256);
    }
    host_api->mbarrier_wait(0, 0);
    host_api->mbarrier_wait(8, 0);
    copy_out(call, 64, 512);
}

// The same without waiting.
extern "C" void forgets(Call call) {
    const u8* in = static_cast<const u8*>(call.q.data);
    make_barrier(0, 1);
    if (thread() == 0) {
        host_api->mbarrier_arrive(0, 512);
        for (u32 i = 0; i < 8; ++i) host_api->copy_bulk(64 + 64 * i, in + 64 * i, 64, 0);
    }
    host_api->warp_barrier();
    copy_out(call, 64, 512);
    host_api->mbarrier_wait(0, 0);
}

// A ring of two slots filled by copies; the consumers' reads decide when a slot is free.
extern "C" void ring(Call call) {
    const u8* in = static_cast<const u8*>(call.q.data);
    const u32 warp = thread() / 32, lane = thread() % 32;
    if (thread() == 0) {
        for (u32 slot = 0; slot < 2; ++slot) {
            host_api->mbarrier_init(8 * slot, 1);
            host_api->mbarrier_init(16 + 8 * slot, 2);
        }
        host_api->mbarrier_init_fence();
    }
    host_api->cta_barrier();
    u32 sum = 0;
    for (u32 round = 0; round < 12; ++round) {
        const u32 slot = round % 2, phase = round / 2, data = 128 + 512 * slot;
        if (warp == 0) {
            if (lane != 0) continue;
            host_api->mbarrier_wait(16 + 8 * slot, (phase & 1) ^ 1);
            host_api->mbarrier_arrive(8 * slot, 512);
            for (u32 half = 0; half < 2; ++half) {
                const u32 at = 256 * half;
                host_api->copy_bulk(data + at, in + 512 * round + at, 256, 8 * slot);
            }
        } else {
            host_api->mbarrier_wait(8 * slot, phase & 1);
            u32 words[4];
            host_api->load_shared(words, data + 16 * ((lane + 5 * warp) % 32), 16);
            sum = sum * 5 + words[round % 4];
            host_api->warp_barrier();
            if (lane == 0) host_api->mbarrier_arrive(16 + 8 * slot, 0);
        }
    }
    static_cast<u32*>(call.o.data)[thread()] = sum;
}

// One broken rule each, by number.
extern "C" void broken(Call call) {
    alignas(16) static const u8 in[1024] = {};
    const u32 which = *static_cast<const u32*>(call.q.data);
    const i32 origin[4] = {0, 0, 0, 0};
    TensorMap none = {};
    make_barrier(0, 1);
    if (thread() != 0) return;
    if (which == 9) host_api->mbarrier_init(8, 1);
    switch (which) {
        case 0: host_api->copy_bulk(24, in, 64, 0); break;
        case 1: host_api->copy_bulk(64, in + 4, 64, 0); break;
        case 2: host_api->copy_bulk(64, in, 40, 0); break;
        case 3: host_api->copy_bulk(64, in, 0, 0); break;
        case 4: host_api->copy_bulk(4096 - 32, in, 64, 0); break;
        case 5: host_api->copy_bulk(64, in, 64, 16); break;
        case 6: host_api->copy_tensor_4d(128, &none, origin, 0); break;
        case 7: host_api->copy_tensor_4d(192, &call.v_map, origin, 0); break;
        case 8: host_api->copy_tensor_4d(4096 - 128, &call.v_map, origin, 0); break;
        case 9: host_api->copy_bulk(64, in, 64, 8); break;
        case 10: host_api->copy_bulk(64, in, 64, 0); break;
        case 11: host_api->prefetch_tensor_map(&none); break;
        case 12: host_api->mbarrier_arrive(0, 1 << 20); break;
    }
}
)";

const TestKernels& kernels() {
    static const TestKernels loaded(kBody);
    return loaded;
}

struct Request {
    i32 coordinates[4];
    u32 bytes, destination;
};

// A tensor of 16-bit elements with gaps between its rows, of the exact size.
struct Tensor {
    uint64_t sizes[4] = {40, 9, 3, 2};
    uint64_t pitch[3] = {48, 48 * 10, 48 * 10 * 4};  // elements
    std::unique_ptr<u16[]> data;

    Tensor() {
        const uint64_t count = pitch[2] + 2 * pitch[1] + 8 * pitch[0] + 40;
        data = std::make_unique<u16[]>(count);
        std::iota(data.get(), data.get() + count, u16{1});
    }
    // Zero outside.
    u16 at(i64 c0, i64 c1, i64 c2, i64 c3) const {
        const i64 c[4] = {c0, c1, c2, c3};
        for (int i = 0; i < 4; ++i) {
            if (c[i] < 0 || c[i] >= static_cast<i64>(sizes[i])) return 0;
        }
        return data[static_cast<size_t>(c0) + static_cast<size_t>(c1) * pitch[0] +
                    static_cast<size_t>(c2) * pitch[1] + static_cast<size_t>(c3) * pitch[2]];
    }
};

TensorMap map_of(const Tensor& tensor, const std::array<u32, 4>& box, int swizzle) {
    TensorMapRequest request;
    request.base = tensor.data.get();
    for (int i = 0; i < 4; ++i) {
        request.sizes[i] = tensor.sizes[i];
        request.box[i] = box[static_cast<size_t>(i)];
    }
    for (int i = 0; i < 3; ++i) request.stride_bytes[i] = 2 * tensor.pitch[i];
    request.swizzle_bytes = swizzle;
    request.element_bytes = 2;
    check_tensor_map(request);
    return host::encode_tensor_map(request);
}

void check_box(const std::array<u32, 4>& box, int swizzle, const std::array<i32, 4>& first,
               uint64_t seed) {
    CAPTURE(box, swizzle, first, seed);
    const Tensor tensor;
    const TensorMap map = map_of(tensor, box, swizzle);
    const u32 elements = box[0] * box[1] * box[2] * box[3];
    const Request request = {{first[0], first[1], first[2], first[3]}, 2 * elements, 128};
    std::vector<u16> out(elements);
    kernels().run("tensor", &request, out.data(),
                  {.shared_bytes = 32768, .seed = seed, .map = &map});
    int wrong = 0;
    for (u32 i = 0; i < elements; ++i) {
        const u32 c0 = i % box[0], row = i / box[0];
        // The tile starts at address 128: swizzles go by the address.
        const u32 line = (128 + row * box[0] * 2) / 128;
        const u32 chunks = static_cast<u32>(swizzle) / 16;
        const u32 chunk = chunks == 0 ? c0 / 8 : (c0 / 8) ^ (line % chunks);
        const u16 expected =
            tensor.at(i64{first[0]} + c0, i64{first[1]} + row % box[1],
                      i64{first[2]} + row / box[1] % box[2], i64{first[3]} + row / box[1] / box[2]);
        wrong += out[row * box[0] + chunk * 8 + c0 % 8] != expected;
    }
    CHECK(wrong == 0);
}

std::string fault_of(u32 which) {
    static const Tensor tensor;
    const TensorMap map = map_of(tensor, {64, 4, 1, 1}, 0);
    const Error error = error_of(
        [&] { kernels().run("broken", &which, nullptr, {.shared_bytes = 4096, .map = &map}); });
    CHECK(error.code() == ErrorCode::kLaunchFailed);
    return error.message();
}

}  // namespace

TEST_CASE("tensor copies bring boxes, zeros outside", "[host_machine][bulk]") {
    uint64_t seed = 0;
    for (const std::array<i32, 4>& first : {std::array<i32, 4>{0, 0, 0, 0},
                                            {8, 3, 1, 1},
                                            {-3, -2, -1, 0},
                                            {33, 7, 2, 1},
                                            {40, 0, 0, 0},
                                            {0, 9, 0, 0},
                                            {0, 0, 0, 2},
                                            {-64, 0, 0, 0},
                                            {1, 1, 1, 1}}) {
        check_box({64, 5, 1, 1}, 0, first, seed++);
        check_box({40, 3, 2, 2}, 0, first, seed++);
        check_box({8, 9, 3, 2}, 0, first, seed++);
        check_box({64, 16, 1, 1}, 128, first, seed++);
        check_box({32, 5, 3, 1}, 64, first, seed++);
        check_box({16, 9, 2, 2}, 32, first, seed++);
    }
}

TEST_CASE("bulk copies land before the wait returns", "[host_machine][bulk]") {
    std::vector<u8> in(512);
    std::iota(in.begin(), in.end(), u8{3});
    alignas(16) static u8 source[512];
    std::copy(in.begin(), in.end(), source);
    for (uint64_t seed = 0; seed < 30; ++seed) {
        std::vector<u8> out(512);
        kernels().run("bulk", source, out.data(), {.seed = seed});
        CHECK(out == in);
    }
}

TEST_CASE("a forgotten wait for bulk copies shows", "[host_machine][bulk]") {
    if (skips_races()) return;
    alignas(16) static u8 source[512];
    std::fill(std::begin(source), std::end(source), u8{7});
    int all = 0, some = 0, none = 0;
    for (uint64_t seed = 0; seed < 60; ++seed) {
        std::vector<u8> out(512);
        kernels().run("forgets", source, out.data(), {.seed = seed});
        const auto right = std::count(out.begin(), out.end(), u8{7});
        CHECK(right + std::count(out.begin(), out.end(), u8{0xff}) == 512);
        ++(right == 512 ? all : right == 0 ? none : some);
        if (seed == 0) CHECK(right == 0);
    }
    CHECK(all > 0);
    CHECK(some > 0);
    CHECK(none > 0);
}

TEST_CASE("a ring filled by copies survives every schedule", "[host_machine][bulk]") {
    alignas(16) static u32 in[12][128];
    u32 next = 1;
    for (auto& round : in) {
        for (u32& word : round) word = next++ * 2654435761u;
    }
    std::vector<u32> expected(96);
    for (u32 thread = 32; thread < 96; ++thread) {
        for (u32 round = 0; round < 12; ++round) {
            const u32 chunk = (thread % 32 + 5 * (thread / 32)) % 32;
            expected[thread] = expected[thread] * 5 + in[round][4 * chunk + round % 4];
        }
    }
    for (uint64_t seed = 0; seed < 30; ++seed) {
        std::vector<u32> out(96);
        kernels().run("ring", in, out.data(), {.threads = 96, .shared_bytes = 2048, .seed = seed});
        CHECK(out == expected);
    }
}

TEST_CASE("wrong copies are faults", "[host_machine][bulk]") {
    CHECK_THAT(fault_of(0), Contains("copy_bulk: shared address 24 is not aligned to its 16"));
    CHECK_THAT(fault_of(1), Contains("copy_bulk(64): source and size must be multiples of 16"));
    CHECK_THAT(fault_of(2), Contains("multiples of 16"));
    CHECK_THAT(fault_of(3), Contains("multiples of 16"));
    CHECK_THAT(fault_of(4), Contains("64 bytes at shared address 4064 are outside"));
    CHECK_THAT(fault_of(5), Contains("copy_bulk(16): no mbarrier"));
    CHECK_THAT(fault_of(6), Contains("copy_tensor_4d(128): what it was given is no tensor map"));
    CHECK_THAT(fault_of(7),
               Contains("copy_tensor_4d: shared address 192 is not aligned to its 128"));
    CHECK_THAT(fault_of(8), Contains("512 bytes at shared address 3968 are outside"));
    CHECK_THAT(fault_of(9), Contains("mbarrier_init_fence is missing"));
    CHECK_THAT(fault_of(10), Contains("copy_bulk(64): the CTA exits without waiting for it"));
    CHECK_THAT(fault_of(11), Contains("prefetch_tensor_map"));
    CHECK_THAT(fault_of(12), Contains("2^20 bytes"));
}
