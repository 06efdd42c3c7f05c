// Bulk copies of the machine. One lands on whatever fiber runs when its time has come; for
// ThreadSanitizer that is a thread of its own, after what was done before the copy was issued and
// before what waits for its mbarrier.
#include "host/bulk_copies.h"

#include "host/host_tensor_map.h"
#include "host/machine.h"
#include "host/sanitizers.h"

namespace sagejit::host {
namespace {

constexpr u32 kChunkBytes = 16;

const std::byte* pointer(u64 address) { return reinterpret_cast<const std::byte*>(address); }

// Fails under AddressSanitizer where a source is not the kernel's to read, while the line that
// issued the copy is still on the stack.
void touch(const BulkCopy& copy) {
    if (!kAddressSanitizer) return;
    for (u32 i = 0; i < copy.rows(); ++i) {
        const BulkRow row = row_of(copy, i);
        if (row.begin == row.end) continue;
        const auto* source = reinterpret_cast<const volatile char*>(row.source);
        static_cast<void>(source[0]);
        static_cast<void>(source[row.end - row.begin - 1]);
    }
}

// Where a byte address of a swizzled tile lies: its 16-byte chunk moves by the bits above.
u32 swizzled(u32 address, u32 swizzle) {
    const u32 chunks = swizzle / kChunkBytes;
    return chunks == 0 ? address : address ^ ((address >> 7 & (chunks - 1)) << 4);
}

}  // namespace

bool decode_tensor_map(const abi::TensorMap& map, BulkCopy& copy) {
    const u64* word = map.words;
    if (*word++ != kTensorMapMark) return false;
    copy.base = *word++;
    for (u64& size : copy.sizes) size = *word++;
    for (u64& stride : copy.strides) stride = *word++;
    for (int i = 0; i < 4; ++i) copy.box[i] = static_cast<u32>(*word >> (16 * i) & 0xffff);
    ++word;
    copy.element_bytes = static_cast<u32>(*word & 0xffff);
    copy.swizzle = static_cast<u32>(*word >> 16);
    return true;
}

BulkRow row_of(const BulkCopy& copy, u32 index) {
    BulkRow row;
    row.bytes = copy.row_bytes();
    row.address = copy.address + index * row.bytes;
    const i64 at[3] = {copy.first[1] + i64{index % copy.box[1]},
                       copy.first[2] + i64{index / copy.box[1] % copy.box[2]},
                       copy.first[3] + i64{index / copy.box[1] / copy.box[2]}};
    u64 source = copy.base;
    for (int i = 0; i < 3; ++i) {
        if (at[i] < 0 || at[i] >= static_cast<i64>(copy.sizes[i + 1])) return row;
        source += static_cast<u64>(at[i]) * copy.strides[i];
    }
    const i64 first = copy.first[0];
    const i64 begin = first < 0 ? -first : 0;
    i64 end = static_cast<i64>(copy.sizes[0]) - first;
    if (end > i64{copy.box[0]}) end = copy.box[0];
    if (begin >= end) return row;
    row.begin = static_cast<u32>(begin) * copy.element_bytes;
    row.end = static_cast<u32>(end) * copy.element_bytes;
    row.source = source + static_cast<u64>(first + begin) * copy.element_bytes;
    return row;
}

void Machine::issue_bulk_copy(BulkCopy& copy, u32 alignment, u32 barrier_address) {
    issue_multicast_copy(copy, alignment, barrier_address, 1u << cluster_rank());
}

void Machine::issue_multicast_copy(BulkCopy& copy, u32 alignment, u32 barrier_address, u32 ctas) {
    shared_range(copy.address, copy.bytes(), alignment, copy.operation);
    if (copy.base % kChunkBytes != 0 || copy.bytes() % kChunkBytes != 0 || copy.bytes() == 0) {
        fail_rule(copy.operation, copy.address, "source and size must be multiples of 16 bytes");
    }
    if (ctas == 0) fail_rule(copy.operation, copy.address, "it goes to no CTA");
    touch(copy);
    for (u32 rank = 0; ctas >> rank != 0; ++rank) {
        if ((ctas >> rank & 1) == 0) continue;
        Machine& target = live_peer(rank, copy.operation, copy.address);
        issue_copy_to(target, copy, barrier_address);
    }
    land_early_copies();
}

// Each destination's part is a copy of its own, which that CTA's machine completes.
void Machine::issue_copy_to(Machine& target, BulkCopy copy, u32 barrier_address) {
    Mbarrier& barrier = mbarrier_at(target, barrier_address, copy.operation, copy.caller);
    if (!barrier.shown) {
        fail_rule(copy.operation, barrier_address, "mbarrier_init_fence is missing after its init");
    }
    if (target.bulk_copies_.size() == kMostBulkCopies) {
        fail_rule(copy.operation, copy.address, "more than 1024 are in flight");
    }
    const Landing landing = target.bulk_landing_;
    copy.barrier = static_cast<u32>(target.mbarriers_.index_of(barrier));
    copy.shadow = target.next_shadow_++ % kShadows;
    copy.may_land_early = landing == Landing::kAnyTime && chance(2);
    char& issued = target.shadow_tags_[copy.shadow];
    release(issued);
    target.shadows_[copy.shadow].acquire_from(issued);
    target.bulk_copies_.push_back(copy);
    target.early_work_ += copy.may_land_early;
    target.idle_polls_ = 0;
    if (landing == Landing::kAtIssue || (landing == Landing::kAnyTime && chance(4))) {
        target.land_bulk_copy(static_cast<int>(target.bulk_copies_.size()) - 1);
    }
}

void Machine::land_some_bulk_copies() {
    for (int i = 0; i < static_cast<int>(bulk_copies_.size());) {
        if (bulk_copies_[i].may_land_early && chance(8)) {
            land_bulk_copy(i);
        } else {
            ++i;
        }
    }
}

void Machine::land_bulk_copy(int index) {
    const BulkCopy& copy = bulk_copies_[index];
    Mbarrier& barrier = mbarriers_[static_cast<int>(copy.barrier)];
    {
        const ShadowScope scope(shadows_[copy.shadow]);
        const KernelLine line(copy.caller);
        for (u32 i = 0; i < copy.rows(); ++i) land_row(row_of(copy, i), copy.swizzle);
        release(barrier.tags[barrier.phase % 2]);
    }
    barrier.bytes -= copy.bytes();
    early_work_ -= copy.may_land_early;
    for (int i = index + 1; i < static_cast<int>(bulk_copies_.size()); ++i) {
        bulk_copies_[i - 1] = bulk_copies_[i];
    }
    bulk_copies_.pop_back();
    settle(barrier);
}

void Machine::land_row(const BulkRow& row, u32 swizzle) {
    note_write(arena_ + row.address, row.bytes);
    if (row.begin != row.end) note_read(pointer(row.source), row.end - row.begin);
    for (u32 at = 0; at < row.bytes; at += kChunkBytes) {
        const u32 address = swizzled(row.address + at, swizzle);
        std::byte* destination = arena_ + address;
        stores_[address / kStoreGrain] = fences_ - 1;
        if (at >= row.begin && at + kChunkBytes <= row.end) {
            __builtin_memcpy(destination, pointer(row.source + at - row.begin), kChunkBytes);
            continue;
        }
        for (u32 i = at; i < at + kChunkBytes; ++i) {
            const bool inside = i >= row.begin && i < row.end;
            destination[i - at] = inside ? *pointer(row.source + i - row.begin) : std::byte{0};
        }
    }
}

}  // namespace sagejit::host
