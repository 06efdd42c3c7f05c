// What a kernel calls. Each function runs on the fiber of the lane that called it.
#include "host/api.h"

#include <bit>
#include <cmath>
#include <limits>

#include "host/api_async.h"
#include "host/machine.h"
#include "host/sanitizers.h"

namespace sagejit::host {
namespace {

// Sizes known when compiled: ThreadSanitizer watches calls of memcpy.
void copy_bytes(void* destination, const void* source, u32 bytes) {
    switch (bytes) {
        case 1:
            __builtin_memcpy(destination, source, 1);
            break;
        case 2:
            __builtin_memcpy(destination, source, 2);
            break;
        case 4:
            __builtin_memcpy(destination, source, 4);
            break;
        case 8:
            __builtin_memcpy(destination, source, 8);
            break;
        default:
            __builtin_memcpy(destination, source, 16);
    }
}

u32 thread_index() { return static_cast<u32>(current_machine->thread()); }
u32 cta_index() { return current_machine->job().cta; }
u32 cta_count() { return current_machine->job().ctas; }
u32 cluster_rank() { return current_machine->cluster_rank(); }
u32 cluster_size() { return static_cast<u32>(current_machine->cluster().size); }
void cta_barrier() { current_machine->cta_barrier(); }
void warp_barrier() { current_machine->warp_barrier(); }

void load_shared(void* destination, u32 address, u32 bytes) {
    const std::byte* source = current_machine->shared(address, bytes, "load_shared");
    const KernelLine line(__builtin_return_address(0));
    note_read(source, bytes);
    copy_bytes(destination, source, bytes);
}

void store_shared(u32 address, const void* source, u32 bytes) {
    std::byte* destination = current_machine->shared(address, bytes, "store_shared");
    const KernelLine line(__builtin_return_address(0));
    note_write(destination, bytes);
    current_machine->note_store(address);
    copy_bytes(destination, source, bytes);
}

void atomic_max_shared(u32 address, u32 value) {
    std::byte* word = current_machine->shared(address, 4, "atomic_max_shared");
    const KernelLine line(__builtin_return_address(0));
    current_machine->note_store(address);
    atomic_max(reinterpret_cast<u32*>(word), value);
}

void cp_async_16(u32 address, const void* source, u32 source_bytes) {
    current_machine->issue_copy({.source = source,
                                 .caller = __builtin_return_address(0),
                                 .address = address,
                                 .source_bytes = source_bytes});
}

void cp_async_commit() { current_machine->commit_copies(); }
void cp_async_wait(u32 pending_groups) { current_machine->wait_copies(pending_groups); }

// Matrix j comes from the rows of lanes 8j..8j+7, a row from one lane; its part of lane l goes to
// word j of the result: row l/4, or column l/4 where transposed.
void read_matrices(Warp& warp) {
    for (int lane = 0; lane < kWarpLanes; ++lane) {
        for (int matrix = 0; matrix < 4; ++matrix) {
            warp.results[lane][matrix] = warp.words[8 * matrix + lane / 4][lane % 4];
        }
    }
}

void read_matrices_transposed(Warp& warp) {
    for (int lane = 0; lane < kWarpLanes; ++lane) {
        const int column = lane / 4;
        for (int matrix = 0; matrix < 4; ++matrix) {
            const auto element = [&](int row) {
                return warp.words[8 * matrix + row][column / 2] >> (16 * (column % 2)) & 0xffff;
            };
            const int row = 2 * (lane % 4);
            warp.results[lane][matrix] = element(row) | element(row + 1) << 16;
        }
    }
}

void ldmatrix_x4(u32* result, u32 address, u32 transposed) {
    Machine& machine = *current_machine;
    Warp& warp = machine.warp();
    const int lane = machine.lane();
    {
        const std::byte* row = machine.shared(address, 16, "ldmatrix_x4");
        const KernelLine line(__builtin_return_address(0));
        note_read(row, 16);
        u32 words[4];
        __builtin_memcpy(words, row, 16);
        for (int i = 0; i < 4; ++i) warp.words[lane][i] = words[i];
    }
    if (machine.arrive(transposed != 0 ? Wait::kLdmatrixTransposed : Wait::kLdmatrix)) {
        transposed != 0 ? read_matrices_transposed(warp) : read_matrices(warp);
        machine.complete();
    }
    for (int i = 0; i < 4; ++i) result[i] = warp.results[lane][i];
}

// Each lane writes the row whose address it gave.
void stmatrix_x4(u32 address, const u32* words) {
    Machine& machine = *current_machine;
    Warp& warp = machine.warp();
    const int lane = machine.lane();
    for (int i = 0; i < 4; ++i) warp.words[lane][i] = words[i];
    if (machine.arrive(Wait::kStmatrix)) {
        for (int row = 0; row < kWarpLanes; ++row) {
            for (int i = 0; i < 4; ++i) {
                warp.results[row][i] = warp.words[row % 8 * 4 + i][row / 8];
            }
        }
        machine.complete();
    }
    store_shared(address, warp.results[lane], 16);
}

void put_pair(u16* pair, u32 word) {
    pair[0] = static_cast<u16>(word);
    pair[1] = static_cast<u16>(word >> 16);
}

// The fragments of A and B are the same words for 8-bit and 16-bit types, with k in units of two
// bytes: lane l holds rows l/4 and l/4+8 of A and column l/4 of B, at k = 2(l%4) and 8 + 2(l%4).
void put_operands(Operands& operands, int lane, const u32* a, u32 b0, u32 b1) {
    const int row = lane / 4, k = 2 * (lane % 4);
    put_pair(&operands.a[row][k], a[0]);
    put_pair(&operands.a[row + 8][k], a[1]);
    put_pair(&operands.a[row][k + 8], a[2]);
    put_pair(&operands.a[row + 8][k + 8], a[3]);
    operands.b[k][row] = static_cast<u16>(b0);
    operands.b[k + 1][row] = static_cast<u16>(b0 >> 16);
    operands.b[k + 8][row] = static_cast<u16>(b1);
    operands.b[k + 9][row] = static_cast<u16>(b1 >> 16);
}

// Lane l holds four elements of C: rows l/4 and l/4+8, columns 2(l%4) and the next.
u32* accumulator_row(Operands& operands, int lane, int half) {
    return &operands.c[lane / 4 + 8 * half][2 * (lane % 4)];
}

template <typename Accumulator>
void mma(Wait wait, void (*multiply)(Operands&), Accumulator* accumulator, const u32* a, u32 b0,
         u32 b1) {
    Machine& machine = *current_machine;
    Operands& operands = machine.warp().operands;
    const int lane = machine.lane();
    put_operands(operands, lane, a, b0, b1);
    for (int half = 0; half < 2; ++half) {
        u32* row = accumulator_row(operands, lane, half);
        row[0] = std::bit_cast<u32>(accumulator[2 * half]);
        row[1] = std::bit_cast<u32>(accumulator[2 * half + 1]);
    }
    if (machine.arrive(wait)) {
        multiply(operands);
        machine.complete();
    }
    for (int half = 0; half < 2; ++half) {
        const u32* row = accumulator_row(operands, lane, half);
        accumulator[2 * half] = std::bit_cast<Accumulator>(row[0]);
        accumulator[2 * half + 1] = std::bit_cast<Accumulator>(row[1]);
    }
}

void mma_s8(i32* accumulator, const u32* a, u32 b0, u32 b1) {
    mma(Wait::kMmaS8, multiply_s8, accumulator, a, b0, b1);
}

void mma_u8s8(i32* accumulator, const u32* a, u32 b0, u32 b1) {
    mma(Wait::kMmaU8S8, multiply_u8s8, accumulator, a, b0, b1);
}

void mma_f16_f32(f32* accumulator, const u32* a, u32 b0, u32 b1) {
    mma(Wait::kMmaF16F32, multiply_f16_f32, accumulator, a, b0, b1);
}

void mma_f16_f16(u32* accumulator, const u32* a, u32 b0, u32 b1) {
    u32 halves[4] = {accumulator[0] & 0xffff, accumulator[0] >> 16, accumulator[1] & 0xffff,
                     accumulator[1] >> 16};
    mma(Wait::kMmaF16F16, multiply_f16_f16, halves, a, b0, b1);
    accumulator[0] = halves[0] | halves[1] << 16;
    accumulator[1] = halves[2] | halves[3] << 16;
}

u32 shuffle_xor(u32 value, u32 lane_mask) {
    Machine& machine = *current_machine;
    Warp& warp = machine.warp();
    const int lane = machine.lane();
    warp.words[lane][0] = value;
    warp.words[lane][1] = (static_cast<u32>(lane) ^ lane_mask) % kWarpLanes;
    if (machine.arrive(Wait::kShuffleXor)) {
        for (int i = 0; i < kWarpLanes; ++i) {
            warp.results[i][0] = warp.words[warp.words[i][1]][0];
        }
        machine.complete();
    }
    return warp.results[lane][0];
}

u32 vote_any(u32 predicate) {
    Machine& machine = *current_machine;
    Warp& warp = machine.warp();
    const int lane = machine.lane();
    warp.words[lane][0] = predicate;
    if (machine.arrive(Wait::kVoteAny)) {
        u32 any = 0;
        for (int i = 0; i < kWarpLanes; ++i) any |= warp.words[i][0];
        for (int i = 0; i < kWarpLanes; ++i) warp.results[i][0] = any != 0;
        machine.complete();
    }
    return warp.results[lane][0];
}

// As ex2.approx.ftz: subnormal results are zero. More exact than the instruction otherwise.
f32 exp2(f32 value) {
    const f32 result = std::exp2(value);
    return result < std::numeric_limits<f32>::min() ? 0.0f : result;
}

f32 log2(f32 value) { return std::log2(value); }
f32 fma(f32 a, f32 b, f32 c) { return std::fma(a, b, c); }

}  // namespace

const abi::HostApi host_api = {
    .thread_index = thread_index,
    .cta_index = cta_index,
    .cta_count = cta_count,
    .cluster_rank = cluster_rank,
    .cluster_size = cluster_size,
    .cta_barrier = cta_barrier,
    .warp_barrier = warp_barrier,
    .load_shared = load_shared,
    .store_shared = store_shared,
    .atomic_max_shared = atomic_max_shared,
    .cp_async_16 = cp_async_16,
    .cp_async_commit = cp_async_commit,
    .cp_async_wait = cp_async_wait,
    .ldmatrix_x4 = ldmatrix_x4,
    .stmatrix_x4 = stmatrix_x4,
    .mma_s8 = mma_s8,
    .mma_u8s8 = mma_u8s8,
    .mma_f16_f32 = mma_f16_f32,
    .mma_f16_f16 = mma_f16_f16,
    .shuffle_xor = shuffle_xor,
    .vote_any = vote_any,
    .mbarrier_init = async_api::mbarrier_init,
    .mbarrier_init_fence = async_api::mbarrier_init_fence,
    .mbarrier_arrive = async_api::mbarrier_arrive,
    .mbarrier_try_wait = async_api::mbarrier_try_wait,
    .mbarrier_wait = async_api::mbarrier_wait,
    .fence_async_shared = async_api::fence_async_shared,
    .copy_bulk = async_api::copy_bulk,
    .copy_tensor_4d = async_api::copy_tensor_4d,
    .prefetch_tensor_map = async_api::prefetch_tensor_map,
    .cluster_barrier = async_api::cluster_barrier,
    .peer_address = async_api::peer_address,
    .mbarrier_arrive_peer = async_api::mbarrier_arrive_peer,
    .mbarrier_wait_cluster = async_api::mbarrier_wait_cluster,
    .copy_bulk_multicast = async_api::copy_bulk_multicast,
    .copy_tensor_4d_multicast = async_api::copy_tensor_4d_multicast,
    .named_barrier = async_api::named_barrier,
    .set_max_registers = async_api::set_max_registers,
    .wgmma = async_api::wgmma,
    .warpgroup_fence = async_api::warpgroup_fence,
    .warpgroup_commit = async_api::warpgroup_commit,
    .warpgroup_wait = async_api::warpgroup_wait,
    .exp2 = exp2,
    .log2 = log2,
    .fma = fma,
};

}  // namespace sagejit::host
