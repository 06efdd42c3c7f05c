// The machine that executes one CTA: its threads as fibers, its shared memory, its warps and their
// collectives, its asynchronous copies.
//
// A lane runs until it waits for its warp (a collective), for its CTA (a barrier), or exits. When
// the last lane of a warp arrives at a collective, that lane executes it. Whenever nothing can
// run, lanes that wait for different things will wait forever, which is a fault and never a hang.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <memory>
#include <vector>

#include "call.h"
#include "host/fibers.h"
#include "host/fragments.h"
#include "host/grid.h"

namespace sagejit::host {

inline constexpr int kWarpLanes = 32;
inline constexpr int kMaxWarps = kMaxThreads / kWarpLanes;

// One CTA to execute.
struct CtaJob {
    KernelFunction kernel = nullptr;
    const abi::Call* call = nullptr;
    u32 cta = 0;
    int threads = 0;       // a multiple of 32, at most kMaxThreads
    int shared_bytes = 0;  // of shared memory
    u64 seed = 0;          // of the randomised schedule; 0 is the plain order
};

// What a lane waits for that cannot go on.
enum class Wait : u8 {
    kNothing,
    kCtaBarrier,
    kWarpBarrier,
    kLdmatrix,
    kLdmatrixTransposed,
    kMmaS8,
    kMmaU8S8,
    kMmaF16F32,
    kMmaF16F16,
    kShuffleXor,
    kVoteAny,
    kExit,  // has returned from the kernel
};

// Why a CTA cannot go on.
struct Fault {
    enum class Kind { kNone, kDiverged, kStuck, kOutOfRange, kMisaligned, kBadSize };
    Kind kind = Kind::kNone;
    const char* operation = "";  // of the kernel, with the address and size it gave
    u32 address = 0;
    u32 bytes = 0;
    int thread = 0;  // that noticed
};

struct Warp {
    u32 ready = 0;                         // lanes that run or can run
    std::array<Wait, kWarpLanes> waits{};  // of the lanes that are not
    u32 barriers = 0;                      // warp barriers completed
    std::array<char, 2> barrier_tags{};    // of this one and the next
    // What lanes bring to a collective and take from it. Two sets, because a lane may arrive at the
    // next collective before another has taken its result; of Operands each lane reads back only
    // what it wrote itself.
    u32 words[kWarpLanes][4] = {};
    u32 results[kWarpLanes][4] = {};
    Operands operands{};
};

// A copy to shared memory that has been issued and not completed.
struct AsyncCopy {
    const void* source = nullptr;
    void* caller = nullptr;  // the kernel's line, as a return address
    u32 address = 0;
    u32 source_bytes = 0;
    u32 group = 0;
    bool may_land_early = false;  // before it is waited for
};

struct Lane {
    std::vector<AsyncCopy> copies;  // in the order of issue
    u32 groups = 0;                 // committed
    u32 early = 0;                  // copies that may land early

    // Ends the thread: what has not landed never will.
    void reset() {
        copies.clear();
        groups = 0;
        early = 0;
    }
};

class Machine {
  public:
    Machine();
    ~Machine();
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    // Executes a CTA to its end. Throws Error(kLaunchFailed), after which this machine must not be
    // used again.
    void run(const CtaJob& job);

    // For the functions a kernel calls (api.h). thread: of the caller.
    int thread() const { return fibers_.running(); }
    int lane() const { return thread() % kWarpLanes; }
    const CtaJob& job() const { return job_; }
    const Fault& fault() const { return fault_; }
    int warps() const { return job_.threads / kWarpLanes; }
    Warp& warp() { return warps_[thread() / kWarpLanes]; }
    const Warp& warp(int index) const { return warps_[index]; }

    // Suspends the running lane until its whole warp waits for the same. Returns true, at once, to
    // the lane that came last, which executes the collective and calls complete; false to the
    // others, once it is complete.
    [[gnu::always_inline]] bool arrive(Wait wait) {
        land_early_copies();
        return suspend(wait);
    }
    void complete();
    void cta_barrier();
    void warp_barrier();

    // The bytes of shared memory at an address that a kernel gave. bytes: 1, 2, 4, 8 or 16.
    std::byte* shared(u32 address, u32 bytes, const char* operation);

    // Asynchronous copies of the running thread (copies.cpp).
    void issue_copy(const AsyncCopy& copy);
    void commit_copies() { ++lanes_[thread()].groups; }
    void wait_copies(u32 pending_groups);

  private:
    // When asynchronous copies complete.
    enum class Landing { kAtWait, kAtIssue, kAnyTime };

    static void run_lanes(void* machine);
    void prepare_shared();
    void seed_schedule();
    void release_warps();
    bool is_random() const { return random_state_ != 0; }
    u32 random();
    bool chance(u32 of) { return random() % of == 0; }

    // Ends the CTA. Does not return.
    [[noreturn]] void fail(Fault fault);
    void check_converged(Wait wait);
    [[gnu::always_inline]] bool suspend(Wait wait);
    void block(Wait wait);
    [[gnu::always_inline]] void resume_lane(int warp, u32 first);
    void resume_any_warp();
    void land(const AsyncCopy& copy);
    void land_early_copies() {
        if (lanes_[thread()].early != 0) land_some_copies();
    }
    void land_some_copies();

    CtaJob job_;
    Fault fault_;
    u32 ready_warps_ = 0;  // with a lane that can run
    u64 random_state_ = 0;
    Landing landing_ = Landing::kAtWait;
    u32 barriers_ = 0;                    // CTA barriers completed
    std::array<char, 2> barrier_tags_{};  // of this one and the next
    char start_tag_ = 0;
    char end_tag_ = 0;
    std::byte* arena_ = nullptr;  // shared memory
    std::size_t arena_bytes_ = 0;
    FiberSet fibers_;
    std::array<Warp, kMaxWarps> warps_;
    std::array<Lane, kMaxThreads> lanes_;
};

// The machine that runs the calling fiber.
extern constinit thread_local Machine* current_machine;

// The first set bit at or after `first`, cyclically, of 32.
inline int next_set(u32 bits, u32 first) {
    const int start = static_cast<int>(first % 32);
    return (std::countr_zero(std::rotr(bits, start)) + start) % 32;
}

inline u32 Machine::random() {
    // xorshift64*: S. Vigna, "An experimental exploration of Marsaglia's xorshift generators".
    random_state_ ^= random_state_ >> 12;
    random_state_ ^= random_state_ << 25;
    random_state_ ^= random_state_ >> 27;
    return static_cast<u32>((random_state_ * 0x2545f4914f6cdd1d) >> 32);
}

inline bool Machine::suspend(Wait wait) {
    Warp& self = warp();
    self.waits[lane()] = wait;
    self.ready &= ~(1u << lane());
    if (self.ready != 0) {
        resume_lane(thread() / kWarpLanes, static_cast<u32>(lane()) + 1);
        return false;
    }
    check_converged(wait);
    return true;
}

// Resumes a lane that can run: the first at or after lane `first`, cyclically, or any at random.
inline void Machine::resume_lane(int warp, u32 first) {
    const int lane = next_set(warps_[warp].ready, is_random() ? random() : first);
    fibers_.switch_to(warp * kWarpLanes + lane);
}

inline std::byte* Machine::shared(u32 address, u32 bytes, const char* operation) {
    const bool is_size = bytes != 0 && bytes <= 16 && (bytes & (bytes - 1)) == 0;
    const bool inside = u64{address} + bytes <= static_cast<u64>(job_.shared_bytes);
    const bool aligned = (address & (bytes - 1)) == 0;
    if (!is_size || !inside || !aligned) [[unlikely]] {
        fail({is_size ? inside ? Fault::Kind::kMisaligned : Fault::Kind::kOutOfRange
                      : Fault::Kind::kBadSize,
              operation, address, bytes});
    }
    return arena_ + address;
}

// Throws what machine.fault() says (fault.cpp).
[[noreturn]] void throw_fault(const Machine& machine);
[[noreturn]] void throw_no_memory();

}  // namespace sagejit::host
