#include "host/machine.h"

#include <bit>
#include <cstdlib>
#include <cstring>

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

}  // namespace

constinit thread_local Machine* current_machine = nullptr;

Machine::Machine() : fibers_(run_lanes, this) {}

Machine::~Machine() {
    unpoison(arena_, arena_bytes_);
    std::free(arena_);
}

void Machine::run(const CtaJob& job) {
    job_ = job;
    fault_ = {};
    prepare_shared();
    if (!fibers_.reserve(job.threads)) throw_no_memory();
    seed_schedule();
    release_warps();

    current_machine = this;
    fibers_.enter();
    release(start_tag_);
    resume_any_warp();
    current_machine = nullptr;
    const bool faulted = fault_.kind != Fault::Kind::kNone;
    if (faulted) fibers_.release_all(end_tag_);  // they stopped wherever they were
    acquire(end_tag_);
    if (faulted) throw_fault(*this);
}

// What every fiber runs: one thread of a CTA after another.
void Machine::run_lanes(void* machine) {
    Machine& self = *static_cast<Machine*>(machine);
    for (;;) {
        acquire(self.start_tag_);
        self.job_.kernel(*self.job_.call);
        self.lanes_[self.thread()].reset();
        release(self.end_tag_);
        self.block(Wait::kExit);
    }
}

void Machine::prepare_shared() {
    const auto bytes = static_cast<std::size_t>(job_.shared_bytes);
    unpoison(arena_, arena_bytes_);
    if (bytes > arena_bytes_) {
        std::free(arena_);
        arena_bytes_ = (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
        arena_ = static_cast<std::byte*>(std::aligned_alloc(kArenaAlignment, arena_bytes_));
        if (arena_ == nullptr) {
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
    landing_ = Landing::kAtWait;
    if (job_.seed == 0) return;
    random_state_ = mix(job_.seed ^ mix(job_.cta)) | 1;
    if (chance(2)) {
        landing_ = Landing::kAnyTime;
    } else if (chance(2)) {
        landing_ = Landing::kAtIssue;
    }
}

void Machine::release_warps() {
    for (int i = 0; i < warps(); ++i) warps_[i].ready = kAllLanes;
    ready_warps_ = kAllLanes >> (kMaxWarps - warps());
}

// The warp of the running lane has nothing left to run: does all of it wait for the same?
void Machine::check_converged(Wait wait) {
    u32 others = 0;
    for (const Wait each : warp().waits) others += each != wait;
    if (others != 0) fail({.kind = Fault::Kind::kDiverged});
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
    block(Wait::kCtaBarrier);
    acquire(tag);
}

// Waits for every warp of the CTA.
void Machine::block(Wait wait) {
    if (!suspend(wait)) return;
    ready_warps_ &= ~(1u << (thread() / kWarpLanes));
    if (ready_warps_ == 0) {
        for (int i = 0; i < warps(); ++i) {
            if (warps_[i].waits[0] != wait) fail({.kind = Fault::Kind::kStuck});
        }
        if (wait == Wait::kExit) {
            fibers_.switch_to(FiberSet::kOutside);
            return;
        }
        ++barriers_;
        release_warps();
    }
    resume_any_warp();
}

void Machine::resume_any_warp() {
    resume_lane(next_set(ready_warps_, is_random() ? random() : 0), 0);
}

void Machine::fail(Fault fault) {
    fault.thread = thread();
    fault_ = fault;
    fibers_.switch_to(FiberSet::kOutside);
    std::abort();
}

}  // namespace sagejit::host
