// The machine that executes one CTA: its threads as fibers, its shared memory, its warps and their
// collectives, its asynchronous copies. One thread executes all machines of a cluster in turn.
//
// A lane runs until it waits for its warp (a collective), for its CTA or other warps (a barrier),
// for asynchronous work (an mbarrier, a wgmma), or exits. When the last lane of a warp arrives at a
// collective, that lane executes it. When nothing can run, asynchronous work completes; when none
// is left either, lanes wait forever, which is a fault and never a hang.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "call.h"
#include "host/bulk_copies.h"
#include "host/cluster.h"
#include "host/fibers.h"
#include "host/fragments.h"
#include "host/grid.h"
#include "host/mbarrier.h"
#include "host/wgmma.h"

namespace sagejit::host {

inline constexpr int kWarpLanes = 32;
inline constexpr int kMaxWarps = kMaxThreads / kWarpLanes;

// One CTA to execute.
struct CtaJob {
    KernelFunction kernel = nullptr;
    const abi::Call* call = nullptr;
    u32 cta = 0;
    u32 ctas = 1;          // of the grid
    int threads = 0;       // a multiple of 32, at most kMaxThreads
    int shared_bytes = 0;  // of shared memory
    u64 seed = 0;          // of the randomised schedule; 0 is the plain order
};

// When asynchronous work completes.
enum class Landing : u8 { kAtWait, kAtIssue, kAnyTime };

// What a lane waits for that cannot go on.
enum class Wait : u8 {
    kNothing,
    kCtaBarrier,
    kClusterArrive,
    kClusterWait,
    kWarpBarrier,
    kLdmatrix,
    kLdmatrixTransposed,
    kStmatrix,
    kMmaS8,
    kMmaU8S8,
    kMmaF16F32,
    kMmaF16F16,
    kShuffleXor,
    kVoteAny,
    kMbarrier,
    kNamedBarrier,
    kSetMaxRegisters,
    kWgmma,
    kWarpgroupFence,
    kWarpgroupCommit,
    kWarpgroupWait,
    kExit,  // has returned from the kernel
};

// Why a CTA cannot go on.
struct Fault {
    enum class Kind { kNone, kDiverged, kStuck, kOutOfRange, kMisaligned, kBadSize, kRule };
    Kind kind = Kind::kNone;
    const char* operation = "";  // of the kernel, with the address and size it gave
    u32 address = 0;
    u32 bytes = 0;
    const char* rule = "";  // that was broken
    int thread = 0;         // that noticed
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
    std::array<MbarrierWait, kWarpLanes> mbarrier_waits{};
    abi::WgmmaOperation wgmma[kWarpLanes] = {};
    bool has_exited = false;
    bool at_cluster_barrier = false;  // has arrived in the current phase
    bool owes_cluster_wait = false;   // has arrived and not waited
    bool waits_for_cluster = false;
    u32 cluster_phase = 0;     // in which it arrived last
    u32 registers = 0;         // per thread, as last set; 0: never
    u32 register_changes = 0;  // how often
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
    // The same for the CTAs of a cluster, job.cta and those after it, one for each machine. After a
    // throw none of the machines must be used again.
    static void run_cluster(std::span<Machine* const> machines, const CtaJob& job);

    // For the functions a kernel calls (api.h). thread: of the caller.
    int thread() const { return fibers_.running(); }
    int lane() const { return thread() % kWarpLanes; }
    const CtaJob& job() const { return job_; }
    const Fault& fault() const { return fault_; }
    int warps() const { return job_.threads / kWarpLanes; }
    Warp& warp() { return warps_[thread() / kWarpLanes]; }
    const Warp& warp(int index) const { return warps_[index]; }
    const Cluster& cluster() const { return *cluster_; }
    u32 cluster_rank() const { return job_.cta % static_cast<u32>(cluster_->size); }
    const MbarrierSet& mbarriers() const { return mbarriers_; }

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
    // Each warp arrives, then waits (cluster.cpp).
    void cluster_arrive();
    void cluster_wait();
    u32 peer_address(u32 address, u32 rank);

    // The bytes of shared memory at an address that a kernel gave. bytes: 1, 2, 4, 8 or 16.
    std::byte* shared(u32 address, u32 bytes, const char* operation);

    // Asynchronous copies of the running thread (copies.cpp).
    void issue_copy(const AsyncCopy& copy);
    void commit_copies() { ++lanes_[thread()].groups; }
    void wait_copies(u32 pending_groups);

    // mbarriers (mbarrier.cpp). An address that is none is a fault.
    // caller: the kernel's line, as a return address.
    void init_mbarrier(u32 address, u32 arrivals, void* caller);
    void show_mbarriers() { mbarriers_.show(); }
    void arrive_mbarrier(u32 address, u32 bytes, void* caller);
    bool try_wait_mbarrier(u32 address, u32 parity, void* caller);
    // of_cluster: orders what threads of other CTAs did before they arrived as well.
    void wait_mbarrier(u32 address, u32 parity, bool of_cluster, void* caller);
    // releases: to waits of the cluster's scope alone.
    void arrive_peer_mbarrier(u32 peer_address, bool releases, void* caller);

    // Bulk copies (bulk_copies.cpp), whose barrier is the shared address of an mbarrier.
    void issue_bulk_copy(BulkCopy& copy, u32 alignment, u32 barrier);
    // ctas: a bit for each rank of the cluster.
    void issue_multicast_copy(BulkCopy& copy, u32 alignment, u32 barrier, u32 ctas);

    // Stores to shared memory reach asynchronous copies and wgmma only after a fence.
    void note_store(u32 address) { stores_[address / kStoreGrain] = fences_; }
    void fence_stores() { ++fences_; }
    bool is_unfenced(u32 address) const { return stores_[address / kStoreGrain] == fences_; }

    // Collectives of a warp that involve others (warpgroup.cpp).
    void named_barrier(u32 id, u32 threads, bool waits);
    void set_max_registers(u32 count, bool up);
    void issue_wgmma(const abi::WgmmaOperation& operation, void* caller);
    void fence_warpgroup();
    void commit_warpgroup();
    void wait_warpgroup(u32 pending_groups);

    // Ends the CTA. Does not return.
    [[noreturn]] void fail(Fault fault);
    [[noreturn]] void fail_rule(const char* operation, u32 address, const char* rule) {
        fail(
            {.kind = Fault::Kind::kRule, .operation = operation, .address = address, .rule = rule});
    }
    bool is_random() const { return random_state_ != 0; }
    bool chance(u32 of) { return random() % of == 0; }
    // Bytes of shared memory at an address, checked like shared(); any size, alignment a power of
    // two.
    std::byte* shared_range(u32 address, u32 bytes, u32 alignment, const char* operation);

  private:
    static constexpr u32 kStoreGrain = 16;  // bytes
    static constexpr int kShadows = 16;
    static constexpr std::size_t kMostBulkCopies = 1024;
    static constexpr int kNamedBarriers = 16;
    // Fruitless polls after which no lane can be expected to go on.
    static constexpr u32 kMaxIdlePolls = 10000;

    static void run_lanes(void* machine);
    void prepare(const CtaJob& job, Cluster& cluster);
    void go_on();
    void finish();
    bool has_faulted() const { return fault_.kind != Fault::Kind::kNone; }
    bool has_exited() const { return exited_warps_ == warps(); }
    bool in_cluster() const { return cluster_->size > 1; }
    static Machine* next_to_run(std::span<Machine* const> machines);
    void settle_cluster_barrier();
    Machine& live_peer(u32 rank, const char* operation, u32 address);
    void prepare_shared();
    void seed_schedule();
    Landing random_landing();
    void prepare_asynchronous_work();
    void release_shadows();
    void release_warps();
    u32 random();

    bool has_converged(Wait wait);
    [[gnu::always_inline]] bool suspend(Wait wait);
    // Suspends the running lane, or its whole warp after a collective, until it is woken.
    void sleep_lane(Wait wait);
    void sleep_warp();
    void wake_lane(int warp, int lane);
    void wake_warp(int warp);
    void yield() { resume_any_warp(); }
    bool complete_asynchronous_work();
    bool wake_pollers();
    void exit_lane();
    void check_registers();
    [[gnu::always_inline]] void resume_lane(int warp, u32 first);
    void resume_any_warp();
    void leave() { fibers_.switch_to(FiberSet::kOutside); }
    void land(const AsyncCopy& copy);
    void land_early_copies() {
        if ((lanes_[thread()].early | early_work_) != 0) land_some_copies();
    }
    void land_some_copies();

    Mbarrier& mbarrier_at(Machine& owner, u32 address, const char* operation, void* caller);
    void count_arrival(Mbarrier& barrier, const char* operation);
    void settle(Mbarrier& barrier);
    bool sleep_at(Mbarrier& barrier, u32 parity, bool polls, bool of_cluster);

    void issue_copy_to(Machine& target, BulkCopy copy, u32 barrier_address);
    void land_some_bulk_copies();
    void land_bulk_copy(int index);
    void land_row(const BulkRow& row, u32 swizzle);

    Warpgroup& warpgroup_of(int warp, const char* operation);
    void check_wgmma(const Warp& warp);
    void take_registers(Warpgroup& group, int member, WgmmaIssue& issue);
    void give_registers(Accumulator& accumulator, int member);
    void execute_wgmma(Warpgroup& group, WgmmaIssue& issue);
    void execute_some_wgmma();
    void read_operands(Warpgroup& group, const WgmmaIssue& issue);
    const std::byte* operand_chunk(u32 address);
    bool finish_wait(Warpgroup& group, int member);
    void retire(Warpgroup& group, int member, u32 groups);
    void finish_waits(Warpgroup& group, int first_warp);

    CtaJob job_;
    Cluster alone_;
    Cluster* cluster_ = &alone_;
    Fault fault_;
    u32 ready_warps_ = 0;  // with a lane that can run
    u64 random_state_ = 0;
    Landing landing_ = Landing::kAtWait;
    Landing bulk_landing_ = Landing::kAtWait;
    Landing wgmma_landing_ = Landing::kAtWait;
    u32 early_work_ = 0;      // bulk copies that may land early
    u32 idle_polls_ = 0;      // since something happened
    int at_cta_barrier_ = 0;  // warps
    int exited_warps_ = 0;
    u32 barriers_ = 0;                    // CTA barriers completed
    std::array<char, 2> barrier_tags_{};  // of this one and the next
    char start_tag_ = 0;
    char end_tag_ = 0;
    std::byte* arena_ = nullptr;  // shared memory
    std::size_t arena_bytes_ = 0;
    u32* stores_ = nullptr;  // fences_ at the last store to each grain of the arena
    u32 fences_ = 1;
    FiberSet fibers_;
    std::array<Warp, kMaxWarps> warps_;
    std::array<Lane, kMaxThreads> lanes_;
    MbarrierSet mbarriers_;
    std::vector<BulkCopy> bulk_copies_;  // in flight
    std::array<ShadowThread, kShadows> shadows_;
    std::array<char, kShadows> shadow_tags_{};
    u32 next_shadow_ = 0;
    std::array<NamedBarrier, kNamedBarriers> named_barriers_;
    std::array<std::unique_ptr<Warpgroup>, kMaxWarps / kGroupWarps> warpgroups_;
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
    return has_converged(wait);
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
