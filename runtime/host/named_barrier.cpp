// Named barriers (bar.sync, bar.arrive) and register counts (setmaxnreg) of the machine.
#include "host/machine.h"
#include "host/sanitizers.h"

namespace sagejit::host {
namespace {

constexpr u32 kLeastRegisters = 24;
constexpr u32 kMostRegisters = 256;
constexpr u32 kRegistersPerSm = 64 * 1024;

}  // namespace

void Machine::named_barrier(u32 id, u32 threads, bool waits) {
    const char* const name = waits ? "named_barrier_sync" : "named_barrier_arrive";
    if (id == 0 || id >= kNamedBarriers) fail_rule(name, id, "barriers are 1 to 15");
    if (threads == 0 || threads % kWarpLanes != 0 || threads > static_cast<u32>(job_.threads)) {
        fail_rule(name, threads, "the threads of a barrier are whole warps of the CTA");
    }
    Warp& self = warp();
    NamedBarrier& barrier = named_barriers_[id];
    char& tag = barrier.tags[barrier.phase % 2];
    const u32 request[3] = {id, threads, waits};
    for (int i = 0; i < 3; ++i) self.words[lane()][i] = request[i];
    release(tag);
    if (arrive(Wait::kNamedBarrier)) {
        for (const u32(&each)[4] : self.words) {
            if (each[0] != id || each[1] != threads || each[2] != u32{waits}) {
                fail_rule(name, id, "the lanes of a warp differ");
            }
        }
        if (barrier.threads != 0 && barrier.threads != threads) {
            fail_rule(name, id, "warps come to the barrier with different counts of threads");
        }
        barrier.threads = threads;
        barrier.arrived += kWarpLanes;
        idle_polls_ = 0;
        if (barrier.arrived == threads) {
            for (int i = 0; i < warps(); ++i) {
                if ((barrier.waiting >> i & 1) != 0) wake_warp(i);
            }
            ++barrier.phase;
            barrier.threads = barrier.arrived = barrier.waiting = 0;
            complete();
        } else if (waits) {
            barrier.waiting |= 1u << (thread() / kWarpLanes);
            sleep_warp();
        } else {
            complete();
        }
    }
    if (waits) acquire(tag);
}

void Machine::set_max_registers(u32 count, bool up) {
    const char* const name = up ? "set_max_registers_up" : "set_max_registers_down";
    if (count % 8 != 0 || count < kLeastRegisters || count > kMostRegisters) {
        fail_rule(name, count, "the count is a multiple of 8 from 24 to 256");
    }
    warpgroup_of(thread() / kWarpLanes, name);
    Warp& self = warp();
    self.words[lane()][0] = count;
    if (!arrive(Wait::kSetMaxRegisters)) return;
    for (const u32(&each)[4] : self.words) {
        if (each[0] != count) fail_rule(name, count, "the lanes of a warp differ");
    }
    if (self.registers != 0 && (up ? count < self.registers : count > self.registers)) {
        fail_rule(name, count, "the count before was on the other side of it");
    }
    self.registers = count;
    ++self.register_changes;
    complete();
}

// When the CTA ends: warpgroups changed their registers together, and there were enough.
void Machine::check_registers() {
    constexpr const char* kName = "set_max_registers";
    u32 total = 0;
    for (int i = 0; i < warps(); ++i) {
        const Warp& first = warps_[i / kGroupWarps * kGroupWarps];
        if (warps_[i].registers != first.registers ||
            warps_[i].register_changes != first.register_changes) {
            fail_rule(kName, warps_[i].registers, "the warps of a warpgroup differ");
        }
        total += warps_[i].registers * kWarpLanes;
    }
    if (total > kRegistersPerSm) {
        fail_rule(kName, total, "the CTA's warps ask for more registers than the 65536 there are");
    }
}

}  // namespace sagejit::host
