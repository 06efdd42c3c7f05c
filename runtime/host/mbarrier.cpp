// mbarriers of the machine. A lane that waits sleeps until the phase ends; other lanes of its warp
// go on.
#include "host/mbarrier.h"

#include "host/machine.h"
#include "host/sanitizers.h"

namespace sagejit::host {
namespace {

constexpr u32 kMbarrierBytes = 8;
constexpr u32 kMostArrivals = (1u << 20) - 1;
constexpr i64 kMostBytes = (1 << 20) - 1;
// What its eight bytes of shared memory hold, so that a stray store shows.
constexpr u64 kMark = 0x7265697272616d68;

}  // namespace

void Machine::init_mbarrier(u32 address, u32 arrivals, void* caller) {
    constexpr const char* kName = "mbarrier_init";
    std::byte* word = shared(address, kMbarrierBytes, kName);
    if (arrivals == 0 || arrivals > kMostArrivals) {
        fail_rule(kName, address, "an mbarrier counts 1 to 2^20 - 1 arrivals");
    }
    Mbarrier* barrier = mbarriers_.find(address);
    if (barrier == nullptr) barrier = mbarriers_.add(address);
    if (barrier == nullptr) fail_rule(kName, address, "the CTA has 256 mbarriers already");
    const KernelLine line(caller);
    note_write(word, kMbarrierBytes);
    __builtin_memcpy(word, &kMark, kMbarrierBytes);
    barrier->arrivals = barrier->pending = arrivals;
    barrier->bytes = 0;
    barrier->phase = 0;
    barrier->shown = false;
}

Mbarrier& Machine::mbarrier_at(Machine& owner, u32 address, const char* operation, void* caller) {
    shared(address, kMbarrierBytes, operation);  // as large in every CTA of a cluster
    const std::byte* word = owner.arena_ + address;
    Mbarrier* barrier = owner.mbarriers_.find(address);
    if (barrier == nullptr) fail_rule(operation, address, "no mbarrier was initialised there");
    const KernelLine line(caller);
    note_read(word, kMbarrierBytes);
    u64 mark;
    __builtin_memcpy(&mark, word, kMbarrierBytes);
    if (mark != kMark) fail_rule(operation, address, "the mbarrier there was overwritten");
    return *barrier;
}

void Machine::arrive_mbarrier(u32 address, u32 bytes, void* caller) {
    constexpr const char* kName = "mbarrier_arrive";
    land_early_copies();
    Mbarrier& barrier = mbarrier_at(*this, address, kName, caller);
    count_arrival(barrier, kName);
    barrier.bytes += bytes;
    if (barrier.bytes > kMostBytes) fail_rule(kName, address, "2^20 bytes are expected or more");
    release(barrier.tags[barrier.phase % 2]);
    settle(barrier);
    if (is_random() && chance(4)) yield();
}

void Machine::arrive_peer_mbarrier(u32 peer_address, bool releases, void* caller) {
    const char* const name = releases ? "mbarrier_release_peer" : "mbarrier_arrive_peer";
    const u32 address = peer_address & ((1u << kPeerShift) - 1), rank = peer_address >> kPeerShift;
    land_early_copies();
    Machine& peer = rank == 0 ? *this : live_peer(rank - 1, name, address);
    Mbarrier& barrier = mbarrier_at(peer, address, name, caller);
    count_arrival(barrier, name);
    release((releases ? barrier.cluster_tags : barrier.tags)[barrier.phase % 2]);
    peer.settle(barrier);
    if (is_random() && chance(4)) yield();
}

void Machine::count_arrival(Mbarrier& barrier, const char* operation) {
    if (barrier.pending == 0) {
        fail_rule(operation, barrier.address,
                  "every arrival of the phase has come, and its bytes have not");
    }
    --barrier.pending;
}

// Ends the phase where nothing is missing.
void Machine::settle(Mbarrier& barrier) {
    idle_polls_ = 0;
    if (barrier.pending != 0 || barrier.bytes != 0) return;
    const u32 parity = barrier.phase & 1;
    ++barrier.phase;
    barrier.pending = barrier.arrivals;
    const int index = mbarriers_.index_of(barrier);
    for (int i = 0; i < warps(); ++i) {
        for (int j = 0; j < kWarpLanes; ++j) {
            if ((warps_[i].ready >> j & 1) != 0 || warps_[i].waits[j] != Wait::kMbarrier) continue;
            MbarrierWait& wait = warps_[i].mbarrier_waits[j];
            if (wait.barrier != index || wait.parity != parity) continue;
            wait.ended = true;
            wake_lane(i, j);
        }
    }
}

// Returns whether the phase has ended.
bool Machine::sleep_at(Mbarrier& barrier, u32 parity, bool polls, bool of_cluster) {
    if (parity > 1) fail_rule("mbarrier_wait", barrier.address, "a parity is 0 or 1");
    MbarrierWait& wait = warp().mbarrier_waits[lane()];
    bool ended = barrier.has_ended(parity);
    if (!ended) {
        wait.barrier = static_cast<u16>(mbarriers_.index_of(barrier));
        wait.parity = static_cast<u8>(parity);
        wait.polls = polls;
        wait.ended = false;
        sleep_lane(Wait::kMbarrier);
        ended = wait.ended;
    }
    if (ended) acquire(barrier.tags[parity]);
    if (ended && of_cluster) acquire(barrier.cluster_tags[parity]);
    return ended;
}

bool Machine::try_wait_mbarrier(u32 address, u32 parity, void* caller) {
    Mbarrier& barrier = mbarrier_at(*this, address, "mbarrier_try_wait", caller);
    land_early_copies();
    if (is_random() && chance(8)) {
        yield();
        return false;  // as the instruction may
    }
    return sleep_at(barrier, parity, true, false);
}

void Machine::wait_mbarrier(u32 address, u32 parity, bool of_cluster, void* caller) {
    Mbarrier& barrier = mbarrier_at(*this, address, "mbarrier_wait", caller);
    land_early_copies();
    sleep_at(barrier, parity, false, of_cluster);
}

bool Machine::wake_pollers() {
    if (idle_polls_ == kMaxIdlePolls) return false;
    bool woken = false;
    for (int i = 0; i < warps(); ++i) {
        for (int j = 0; j < kWarpLanes; ++j) {
            if ((warps_[i].ready >> j & 1) != 0 || warps_[i].waits[j] != Wait::kMbarrier) continue;
            if (!warps_[i].mbarrier_waits[j].polls) continue;
            wake_lane(i, j);
            woken = true;
        }
    }
    idle_polls_ += woken;
    return woken;
}

}  // namespace sagejit::host
