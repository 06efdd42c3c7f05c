// Asynchronous copies to shared memory. Each lands, when its time has come, on the fiber of the
// lane that issued it.
#include "host/machine.h"
#include "host/sanitizers.h"

namespace sagejit::host {
namespace {

constexpr u32 kCopyBytes = 16;

// Fails under AddressSanitizer where the source is not the kernel's to read, while the line that
// issued the copy is still on the stack.
void touch(const void* source, u32 bytes) {
    if (!kAddressSanitizer || bytes == 0) return;
    const auto* first = static_cast<const volatile char*>(source);
    static_cast<void>(first[0]);
    static_cast<void>(first[bytes - 1]);
}

}  // namespace

void Machine::issue_copy(const AsyncCopy& request) {
    Lane& self = lanes_[thread()];
    if (request.source_bytes > kCopyBytes) {
        fail({Fault::Kind::kBadSize, "cp_async_16", request.address, request.source_bytes});
    }
    std::byte* destination = shared(request.address, kCopyBytes, "cp_async_16");
    touch(request.source, request.source_bytes);
    if (landing_ == Landing::kAtIssue || (landing_ == Landing::kAnyTime && chance(4))) {
        land(request);
        return;
    }
    {
        // It may land from now on, whenever it will.
        const KernelLine line(request.caller);
        note_read(request.source, request.source_bytes);
        note_write(destination, kCopyBytes);
    }
    AsyncCopy& copy = self.copies.emplace_back(request);
    copy.group = self.groups;
    copy.may_land_early = landing_ == Landing::kAnyTime && chance(2);
    self.early += copy.may_land_early;
    land_early_copies();
}

void Machine::wait_copies(u32 pending_groups) {
    Lane& self = lanes_[thread()];
    std::size_t kept = 0;
    for (const AsyncCopy& copy : self.copies) {
        if (copy.group + u64{pending_groups} < self.groups) {
            land(copy);
            self.early -= copy.may_land_early;
        } else {
            self.copies[kept++] = copy;
        }
    }
    self.copies.resize(kept);
    land_early_copies();
}

void Machine::land_some_copies() {
    if (early_work_ != 0) {
        land_some_bulk_copies();
        execute_some_wgmma();
    }
    Lane& self = lanes_[thread()];
    if (self.early == 0) return;
    std::size_t kept = 0;
    for (const AsyncCopy& copy : self.copies) {
        if (copy.may_land_early && chance(4)) {
            land(copy);
            --self.early;
        } else {
            self.copies[kept++] = copy;
        }
    }
    self.copies.resize(kept);
}

void Machine::land(const AsyncCopy& copy) {
    std::byte* destination = arena_ + copy.address;
    note_store(copy.address);
    const KernelLine line(copy.caller);
    note_read(copy.source, copy.source_bytes);
    note_write(destination, kCopyBytes);
    const auto* source = static_cast<const std::byte*>(copy.source);
    if (copy.source_bytes == kCopyBytes) {
        __builtin_memcpy(destination, source, kCopyBytes);
        return;
    }
    for (u32 i = 0; i < kCopyBytes; ++i) {
        destination[i] = i < copy.source_bytes ? source[i] : std::byte{0};
    }
}

}  // namespace sagejit::host
