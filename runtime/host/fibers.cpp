#include "host/fibers.h"

#include <sys/mman.h>

#include <cstdlib>
#include <memory>
#include <utility>

#include "host/sanitizers.h"

namespace sagejit::host {
namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr bool kSanitized = kAddressSanitizer || kThreadSanitizer;
// Address space, of which a kernel touches one or two pages; sanitized code uses more.
constexpr std::size_t kStackBytes = (kSanitized ? 256 : 64) * 1024;
constexpr std::size_t kGuardBytes = kPageBytes;
// Stacks start at different offsets within a page: with equal ones the hot lines of 32 lanes
// would compete for the same few sets of the first-level cache.
constexpr std::size_t kColorBytes = 17 * 64;

// Fibers run until their set is dropped, so no stack is ever given back through Boost.
struct KeepStack {
    void deallocate(boost::context::stack_context&) noexcept {}
};

}  // namespace

FiberSet::FiberSet(void (*body)(void*), void* context) : body_(body), context_(context) {}

FiberSet::~FiberSet() {
    for (int i = 0; i <= kMaxThreads; ++i) {
        Slot& slot = slots_[i];
        if constexpr (kThreadSanitizer) {
            if (i != kOutside && slot.tsan != nullptr) __tsan_destroy_fiber(slot.tsan);
        }
        // Boost's destructor would unwind the fiber through frames of the kernel.
        std::construct_at(&slot.fiber);
    }
    for (int i = 0; i < blocks_; ++i) {
        unpoison(block_[i].memory, block_[i].bytes);
        munmap(block_[i].memory, block_[i].bytes);
    }
}

bool FiberSet::reserve(int count) {
    if (count <= count_) return true;
    const std::size_t stride = kGuardBytes + kStackBytes;
    const std::size_t bytes = static_cast<std::size_t>(count - count_) * stride;
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) return false;
    block_[blocks_++] = {memory, bytes};
    auto* next = static_cast<std::byte*>(memory);
    for (; count_ < count; ++count_, next += stride) {
        if (mprotect(next, kGuardBytes, PROT_NONE) != 0) return false;
        create(count_, next + kGuardBytes);
    }
    return true;
}

void FiberSet::create(int index, std::byte* stack) {
    Slot& slot = slots_[index];
    slot.stack = stack;
    slot.stack_bytes = kStackBytes;
    if constexpr (kThreadSanitizer) slot.tsan = __tsan_create_fiber(0);
    boost::context::stack_context whole;
    whole.sp = stack + kStackBytes;
    whole.size = kStackBytes;
    const std::size_t color = static_cast<std::size_t>(index) * kColorBytes % kPageBytes;
    const boost::context::preallocated colored(stack + kStackBytes - color, kStackBytes - color,
                                               whole);
    slot.fiber = boost::context::fiber(std::allocator_arg, colored, KeepStack{},
                                       [this](boost::context::fiber&& suspended) {
                                           arrive(std::move(suspended), nullptr);
                                           body_(context_);
                                           std::abort();
                                           return boost::context::fiber();
                                       });
}

void FiberSet::release_all(char& tag) {
    if constexpr (kThreadSanitizer) {
        for (int i = 0; i < count_; ++i) {
            __tsan_switch_to_fiber(slots_[i].tsan, kNoSynchronisation);
            release(tag);
        }
        __tsan_switch_to_fiber(slots_[kOutside].tsan, kNoSynchronisation);
    }
}

void FiberSet::enter() {
    running_ = kOutside;
    if constexpr (kThreadSanitizer) slots_[kOutside].tsan = __tsan_get_current_fiber();
}

}  // namespace sagejit::host
