// The fibers of a CTA, one for each CUDA thread, each on a stack of its own. ThreadSanitizer sees
// a fiber as a thread, AddressSanitizer knows which stack is in use.
#pragma once

#include <array>
#include <boost/context/fiber.hpp>
#include <cstddef>
#include <utility>

#include "host/sanitizers.h"

namespace sagejit::host {

inline constexpr int kMaxThreads = 1024;  // of a CTA

class FiberSet {
  public:
    // The index of the thread that enters the set from outside.
    static constexpr int kOutside = kMaxThreads;

    // Every fiber runs body(context), which must not return.
    FiberSet(void (*body)(void*), void* context);
    // Drops the fibers where they stand. Nothing on their stacks is unwound, so a body must not
    // hold resources across a switch.
    ~FiberSet();
    FiberSet(const FiberSet&) = delete;
    FiberSet& operator=(const FiberSet&) = delete;

    // Makes fibers 0..count-1 exist. Returns false without memory for their stacks.
    bool reserve(int count);
    // Makes the calling thread the one outside. Call before the first switch from a thread.
    void enter();
    // The fiber that runs, or kOutside.
    int running() const { return running_; }
    // The fiber that switched to it.
    int previous() const { return previous_; }
    // Suspends what is running and resumes `next`. Returns when something switches back. Inline
    // like all that calls it: after a switch the CPU mispredicts every return.
    [[gnu::always_inline]] void switch_to(int next);

    // Everything the fibers did so far happens before what a thread does after acquire(tag).
    void release_all(char& tag);

  private:
    struct Slot {
        boost::context::fiber fiber;
        const void* stack = nullptr;  // lowest address
        std::size_t stack_bytes = 0;
        void* fake_stack = nullptr;  // AddressSanitizer's
        void* tsan = nullptr;        // ThreadSanitizer's
    };
    struct Block {
        void* memory = nullptr;
        std::size_t bytes = 0;
    };

    void create(int index, std::byte* stack);
    [[gnu::always_inline]] void arrive(boost::context::fiber&& suspended, void* fake_stack);

    void (*body_)(void*);
    void* context_;
    int count_ = 0;
    int running_ = kOutside;
    int previous_ = kOutside;
    int blocks_ = 0;
    std::array<Block, kMaxThreads> block_;
    std::array<Slot, kMaxThreads + 1> slots_;
};

inline void FiberSet::switch_to(int next) {
    if (next == running_) return;
    Slot& from = slots_[running_];
    Slot& to = slots_[next];
    previous_ = running_;
    running_ = next;
    if constexpr (kAddressSanitizer) {
        __sanitizer_start_switch_fiber(&from.fake_stack, to.stack, to.stack_bytes);
    }
    if constexpr (kThreadSanitizer) __tsan_switch_to_fiber(to.tsan, kNoSynchronisation);
    boost::context::fiber suspended = std::move(to.fiber).resume();
    arrive(std::move(suspended), from.fake_stack);
}

inline void FiberSet::arrive(boost::context::fiber&& suspended, void* fake_stack) {
    Slot& left = slots_[previous_];
    if constexpr (kAddressSanitizer) {
        const void* stack = nullptr;
        std::size_t bytes = 0;
        __sanitizer_finish_switch_fiber(fake_stack, &stack, &bytes);
        if (previous_ == kOutside) {
            left.stack = stack;
            left.stack_bytes = bytes;
        }
    }
    left.fiber = std::move(suspended);
}

}  // namespace sagejit::host
