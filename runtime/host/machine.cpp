#include "host/machine.h"

#include <bit>
#include <cstdlib>
#include <cstring>

#include "host/instruction_counts.h"
#include "host/sanitizers.h"

namespace sagejit::host {
namespace {

constexpr u32 kAllLanes = 0xffffffff;
constexpr std::size_t kArenaAlignment = 1024;

// splitmix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators").
u64 mix(u64 value) {
    value += 0x9e3779b97f4a7c15;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
}

// Of the CTAs that run on this thread, a cluster's together, since one of them finished.
constinit thread_local InstructionCounts executed;

void count(Wait wait) {
    switch (wait) {
        case Wait::kMmaS8:
        case Wait::kMmaU8S8:
        case Wait::kMmaF16F32:
        case Wait::kMmaF16F16:
            ++executed.mma;
            break;
        case Wait::kWgmma:
            ++executed.wgmma;
            break;
        case Wait::kLdmatrix:
        case Wait::kLdmatrixTransposed:
            ++executed.ldmatrix;
            break;
        case Wait::kStmatrix:
            ++executed.stmatrix;
            break;
        case Wait::kShuffleXor:
            ++executed.shuffles;
            break;
        case Wait::kVoteAny:
            ++executed.votes;
            break;
        case Wait::kCtaBarrier:
        case Wait::kWarpBarrier:
        case Wait::kNamedBarrier:
        case Wait::kClusterArrive:
            ++executed.barriers;
            break;
        default:
            break;
    }
}

}  // namespace

constinit thread_local Machine* current_machine = nullptr;

Machine::Machine() : fibers_(run_lanes, this) {
    // Lanes of any thread of ThreadSanitizer use the list: it must not grow.
    bulk_copies_.reserve(kMostBulkCopies);
}

Machine::~Machine() {
    unpoison(arena_, arena_bytes_);
    std::free(arena_);
    std::free(stores_);
}

void Machine::run(const CtaJob& job) {
    alone_.phase = 0;
    prepare(job, alone_);
    go_on();
    finish();
    if (has_faulted()) throw_fault(*this);
}

void Machine::prepare(const CtaJob& job, Cluster& cluster) {
    job_ = job;
    cluster_ = &cluster;
    fault_ = {};
    executed = {};
    prepare_shared();
    if (!fibers_.reserve(job.threads)) throw_no_memory();
    seed_schedule();
    prepare_asynchronous_work();
    release_warps();
    release(start_tag_);
}

// Until the CTA exits or has a fault; in a cluster also until another CTA's turn comes.
void Machine::go_on() {
    current_machine = this;
    fibers_.enter();
    resume_lane(next_set(ready_warps_, is_random() ? random() : 0), 0);
    current_machine = nullptr;
}

// What the CTA did happens before what the calling thread does next.
void Machine::finish() {
    if (!has_exited() || has_faulted()) {  // its threads stopped wherever they were
        fibers_.enter();
        fibers_.release_all(end_tag_);
    }
    release_shadows();
    acquire(end_tag_);
    if (!has_faulted()) add_executed(executed);
    executed = {};
}

// Asynchronous work that nobody waited for ends with the CTA too.
void Machine::release_shadows() {
    if (!kThreadSanitizer) return;
    for (ShadowThread& shadow : shadows_) shadow.release_to(end_tag_);
    for (const std::unique_ptr<Warpgroup>& group : warpgroups_) {
        if (group) group->shadow.release_to(end_tag_);
    }
}

// What every fiber runs: one thread of a CTA after another.
void Machine::run_lanes(void* machine) {
    Machine& self = *static_cast<Machine*>(machine);
    for (;;) {
        acquire(self.start_tag_);
        self.job_.kernel(*self.job_.call);
        self.lanes_[self.thread()].reset();
        release(self.end_tag_);
        self.exit_lane();
    }
}

void Machine::prepare_shared() {
    const auto bytes = static_cast<std::size_t>(job_.shared_bytes);
    unpoison(arena_, arena_bytes_);
    if (bytes > arena_bytes_) {
        std::free(arena_);
        std::free(stores_);
        arena_bytes_ = (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
        arena_ = static_cast<std::byte*>(std::aligned_alloc(kArenaAlignment, arena_bytes_));
        stores_ = static_cast<u32*>(std::calloc(arena_bytes_ / kStoreGrain, sizeof(u32)));
        if (arena_ == nullptr || stores_ == nullptr) {
            std::free(arena_);
            std::free(stores_);
            arena_ = nullptr;
            stores_ = nullptr;
            arena_bytes_ = 0;
            throw_no_memory();
        }
    }
    // A quiet NaN in every float type, so that what was never written shows in the result.
    if (bytes != 0) std::memset(arena_, 0xff, bytes);
    poison(arena_ + bytes, arena_bytes_ - bytes);
}

void Machine::seed_schedule() {
    random_state_ = 0;
    landing_ = bulk_landing_ = wgmma_landing_ = Landing::kAtWait;
    if (job_.seed == 0) return;
    random_state_ = mix(job_.seed ^ mix(job_.cta)) | 1;
    landing_ = random_landing();
    bulk_landing_ = random_landing();
    wgmma_landing_ = random_landing();
}

Landing Machine::random_landing() {
    if (chance(2)) return Landing::kAnyTime;
    return chance(2) ? Landing::kAtIssue : Landing::kAtWait;
}

// As a CTA finds it that follows another on this machine.
void Machine::prepare_asynchronous_work() {
    ++fences_;
    mbarriers_.clear();
    bulk_copies_.clear();
    for (NamedBarrier& barrier : named_barriers_) {
        barrier.threads = barrier.arrived = barrier.waiting = 0;
    }
    for (const std::unique_ptr<Warpgroup>& group : warpgroups_) {
        if (group) group->clear();
    }
    for (int i = 0; i < warps(); ++i) {
        Warp& warp = warps_[i];
        warp.registers = warp.register_changes = 0;
        warp.has_exited = false;
        warp.at_cluster_barrier = warp.owes_cluster_wait = warp.waits_for_cluster = false;
    }
    early_work_ = idle_polls_ = 0;
    at_cta_barrier_ = exited_warps_ = 0;
}

void Machine::release_warps() {
    for (int i = 0; i < warps(); ++i) warps_[i].ready = kAllLanes;
    ready_warps_ = kAllLanes >> (kMaxWarps - warps());
}

// The warp of the running lane has nothing left to run: does all of it wait for the same? Where it
// does not, a lane that is woken may bring the others together; with no such lane nothing will.
bool Machine::has_converged(Wait wait) {
    u32 others = 0, sleepers = 0;
    for (const Wait each : warp().waits) {
        others += each != wait;
        sleepers += each == Wait::kMbarrier;
    }
    if (others == 0) {
        count(wait);
        return true;
    }
    if (sleepers == 0) fail({.kind = Fault::Kind::kDiverged});
    sleep_warp();
    return false;
}

void Machine::complete() {
    warp().ready = kAllLanes;
    if (is_random() && chance(4)) resume_any_warp();
}

void Machine::warp_barrier() {
    char& tag = warp().barrier_tags[warp().barriers % 2];
    land_early_copies();
    release(tag);
    if (suspend(Wait::kWarpBarrier)) {
        ++warp().barriers;
        complete();
    }
    acquire(tag);
}

void Machine::cta_barrier() {
    char& tag = barrier_tags_[barriers_ % 2];
    land_early_copies();
    release(tag);
    if (suspend(Wait::kCtaBarrier)) {
        if (++at_cta_barrier_ == warps()) {
            at_cta_barrier_ = 0;
            idle_polls_ = 0;
            ++barriers_;
            release_warps();
            resume_any_warp();
        } else {
            sleep_warp();
        }
    }
    acquire(tag);
}

// Ends the running thread. Returns when the fiber gets another.
void Machine::exit_lane() {
    if (!suspend(Wait::kExit)) return;
    const int index = thread() / kWarpLanes;
    const std::unique_ptr<Warpgroup>& group = warpgroups_[index / kGroupWarps];
    if (group && group->has_in_flight(index % kGroupWarps)) {
        fail_rule("wgmma", 0, "a warp exits without waiting for it");
    }
    warp().has_exited = true;
    settle_cluster_barrier();
    if (++exited_warps_ < warps()) {
        sleep_warp();
        return;
    }
    if (!bulk_copies_.empty()) {
        fail_rule(bulk_copies_[0].operation, bulk_copies_[0].address,
                  "the CTA exits without waiting for it");
    }
    check_registers();
    leave();
}

void Machine::sleep_lane(Wait wait) {
    Warp& self = warp();
    self.waits[lane()] = wait;
    self.ready &= ~(1u << lane());
    if (self.ready != 0) {
        resume_lane(thread() / kWarpLanes, static_cast<u32>(lane()) + 1);
    } else {
        sleep_warp();
    }
}

void Machine::sleep_warp() {
    ready_warps_ &= ~(1u << (thread() / kWarpLanes));
    while (ready_warps_ == 0) {
        if (in_cluster()) {
            leave();
            return;
        }
        if (!complete_asynchronous_work()) fail({.kind = Fault::Kind::kStuck});
    }
    resume_any_warp();
}

// Completes what nobody has to wait for any longer, nothing else being left to run. wgmma are not
// among it: the warps that wait for them execute them.
bool Machine::complete_asynchronous_work() {
    if (bulk_copies_.empty()) return wake_pollers();
    const u32 count = static_cast<u32>(bulk_copies_.size());
    land_bulk_copy(static_cast<int>(is_random() ? random() % count : 0));
    return true;
}

void Machine::wake_lane(int warp, int lane) {
    warps_[warp].ready |= 1u << lane;
    ready_warps_ |= 1u << warp;
}

void Machine::wake_warp(int warp) {
    warps_[warp].ready = kAllLanes;
    ready_warps_ |= 1u << warp;
}

void Machine::resume_any_warp() {
    if (in_cluster() && is_random() && chance(4)) {
        leave();
        return;
    }
    resume_lane(next_set(ready_warps_, is_random() ? random() : 0), 0);
}

std::byte* Machine::shared_range(u32 address, u32 bytes, u32 alignment, const char* operation) {
    if (u64{address} + bytes > static_cast<u64>(job_.shared_bytes)) {
        fail({.kind = Fault::Kind::kOutOfRange,
              .operation = operation,
              .address = address,
              .bytes = bytes});
    }
    if (address % alignment != 0) {
        fail({.kind = Fault::Kind::kMisaligned,
              .operation = operation,
              .address = address,
              .bytes = alignment});
    }
    return arena_ + address;
}

void Machine::fail(Fault fault) {
    fault.thread = thread();
    fault_ = fault;
    fibers_.switch_to(FiberSet::kOutside);
    std::abort();
}

}  // namespace sagejit::host
