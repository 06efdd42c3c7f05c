// Clusters of the machine. One thread executes their CTAs in turn: a CTA goes on until nothing of
// it can run, or, at random, for a while.
#include "host/cluster.h"

#include "host/machine.h"
#include "host/sanitizers.h"

namespace sagejit::host {

void Machine::run_cluster(std::span<Machine* const> machines, const CtaJob& job) {
    Cluster cluster;
    cluster.size = static_cast<int>(machines.size());
    CtaJob next = job;
    for (int i = 0; i < cluster.size; ++i, ++next.cta) {
        cluster.ctas[i] = machines[i];
        machines[i]->prepare(next, cluster);
    }
    Machine* running = machines[0];
    while (Machine* const another = next_to_run(machines)) {
        running = another;
        running->go_on();
        if (running->has_faulted()) break;
        if (!running->has_exited()) continue;
        running->finish();
        // Whatever a peer still does with its shared memory is a race with this.
        note_write(running->arena_, static_cast<std::size_t>(running->job_.shared_bytes));
    }
    bool complete = true;
    for (Machine* const machine : machines) {
        if (machine->has_exited() && !machine->has_faulted()) continue;
        complete = false;
        machine->finish();
    }
    if (complete) return;
    if (!running->has_faulted()) {
        running->fault_ = {.kind = Fault::Kind::kStuck};
        running->fault_.thread = running->fibers_.previous();
    }
    throw_fault(*running);
}

// Null where all have exited, and where none can ever go on.
Machine* Machine::next_to_run(std::span<Machine* const> machines) {
    Machine& first = *machines[0];
    const auto count = static_cast<u32>(machines.size());
    const u32 start = first.is_random() ? first.random() % count : 0;
    const auto find = [&](auto can_go_on) -> Machine* {
        for (u32 i = 0; i < count; ++i) {
            Machine& machine = *machines[(start + i) % count];
            if (!machine.has_exited() && can_go_on(machine)) return &machine;
        }
        return nullptr;
    };
    for (;;) {
        if (Machine* const ready = find([](Machine& m) { return m.ready_warps_ != 0; })) {
            return ready;
        }
        // No lane can run: what is asynchronous completes.
        const auto completes = [](Machine& m) {
            return !m.bulk_copies_.empty() && m.complete_asynchronous_work();
        };
        if (find(completes) != nullptr) continue;
        if (find([](Machine& m) { return m.wake_pollers(); }) == nullptr) return nullptr;
    }
}

u32 Machine::peer_address(u32 address, u32 rank) {
    if (rank >= static_cast<u32>(cluster_->size)) {
        fail_rule("peer_address", rank, "the cluster has no CTA of that rank");
    }
    return address | (rank + 1) << kPeerShift;
}

Machine& Machine::live_peer(u32 rank, const char* operation, u32 address) {
    if (rank >= static_cast<u32>(cluster_->size)) {
        fail_rule(operation, rank, "the cluster has no CTA of that rank");
    }
    if (!in_cluster()) return *this;
    Machine& peer = *cluster_->ctas[rank];
    if (peer.has_exited()) fail_rule(operation, address, "that CTA of the cluster has exited");
    return peer;
}

void Machine::cluster_arrive() {
    land_early_copies();
    release(cluster_->tags[cluster_->phase % 2]);
    if (!suspend(Wait::kClusterArrive)) return;
    Warp& self = warp();
    if (self.owes_cluster_wait) {
        fail_rule("cluster_arrive", 0, "the warp has not waited since it arrived last");
    }
    self.at_cluster_barrier = self.owes_cluster_wait = true;
    self.cluster_phase = cluster_->phase;
    settle_cluster_barrier();
    complete();
}

void Machine::cluster_wait() {
    land_early_copies();
    Warp& self = warp();
    if (suspend(Wait::kClusterWait)) {
        if (!self.owes_cluster_wait) fail_rule("cluster_wait", 0, "the warp has not arrived");
        self.owes_cluster_wait = false;
        if (cluster_->phase == self.cluster_phase) {
            self.waits_for_cluster = true;
            sleep_warp();
        } else {
            complete();
        }
    }
    acquire(cluster_->tags[self.cluster_phase % 2]);
}

// Ends the phase where no warp of the cluster is missing.
void Machine::settle_cluster_barrier() {
    const auto for_warps = [this](auto visit) {
        for (int i = 0; i < cluster_->size; ++i) {
            Machine& machine = in_cluster() ? *cluster_->ctas[i] : *this;
            for (int j = 0; j < machine.warps(); ++j) visit(machine, j);
        }
    };
    bool missing = false;
    for_warps([&](Machine& machine, int index) {
        const Warp& each = machine.warps_[index];
        missing |= !each.at_cluster_barrier && !each.has_exited;
    });
    if (missing) return;
    ++cluster_->phase;
    for_warps([](Machine& machine, int index) {
        Warp& each = machine.warps_[index];
        each.at_cluster_barrier = false;
        if (!each.waits_for_cluster) return;
        each.waits_for_cluster = false;
        machine.idle_polls_ = 0;
        machine.wake_warp(index);
    });
}

}  // namespace sagejit::host
