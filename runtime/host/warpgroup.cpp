// wgmma of the machine. The warps of a warpgroup issue the same operations, each when it comes to
// them; an operation executes after the last of them has issued it, at the latest when one waits
// for it.
#include "host/machine.h"
#include "host/matrix_descriptor.h"
#include "host/sanitizers.h"

namespace sagejit::host {
namespace {

constexpr const char* kName = "wgmma";
constexpr u32 kBf16 = static_cast<u32>(WgmmaKind::kBf16);
constexpr u32 kE4m3 = static_cast<u32>(WgmmaKind::kE4m3);

bool is_16_bit(u32 kind) { return kind == static_cast<u32>(WgmmaKind::kF16) || kind == kBf16; }

bool is_size(u32 kind, u32 n) {
    if (n == 0 || n > kMaxColumns || n % 8 != 0) return false;
    return kind != static_cast<u32>(WgmmaKind::kS8) || n % 16 == 0 || n == 8 || n == 24;
}

bool is_same(const abi::WgmmaOperation& x, const abi::WgmmaOperation& y) {
    return x.kind == y.kind && x.n == y.n && x.accumulate == y.accumulate &&
           x.b_mn_major == y.b_mn_major && x.b_descriptor == y.b_descriptor &&
           (x.a == nullptr) == (y.a == nullptr) &&
           (x.a != nullptr || x.a_descriptor == y.a_descriptor);
}

// Calls f(register, row, column) for the registers of one lane: its part of 16 rows of D.
template <typename Function>
void for_registers(int lane, u32 n, Function f) {
    for (u32 i = 0; i < n / 2; ++i) {
        f(i, lane / 4 + 8 * (i / 2 % 2), 8 * (i / 4) + 2 * (lane % 4) + i % 2);
    }
}

}  // namespace

Warpgroup& Machine::warpgroup_of(int warp, const char* operation) {
    const int index = warp / kGroupWarps;
    if ((index + 1) * kGroupWarps > warps()) {
        fail_rule(operation, 0, "the warp is in no whole warpgroup of the CTA");
    }
    if (!warpgroups_[index]) warpgroups_[index] = std::make_unique<Warpgroup>();
    return *warpgroups_[index];
}

void Machine::fence_warpgroup() {
    const int warp_index = thread() / kWarpLanes, member = warp_index % kGroupWarps;
    Warpgroup& group = warpgroup_of(warp_index, "warpgroup_fence");
    if (!arrive(Wait::kWarpgroupFence)) return;
    group.is_fenced[member] = group.has_fenced[member] = true;
    complete();
}

void Machine::commit_warpgroup() {
    const int warp_index = thread() / kWarpLanes;
    Warpgroup& group = warpgroup_of(warp_index, "warpgroup_commit");
    if (!arrive(Wait::kWarpgroupCommit)) return;
    ++group.groups[warp_index % kGroupWarps];
    complete();
}

void Machine::wait_warpgroup(u32 pending_groups) {
    const int warp_index = thread() / kWarpLanes, member = warp_index % kGroupWarps;
    Warpgroup& group = warpgroup_of(warp_index, "warpgroup_wait");
    if (arrive(Wait::kWarpgroupWait)) {
        const u32 committed = group.groups[member];
        ++group.waits[member];
        group.waits_for[member] = committed < pending_groups ? 0 : committed - pending_groups;
        group.is_fenced[member] = false;
        if (finish_wait(group, member)) {
            complete();
        } else {
            group.waiting |= 1u << member;
            sleep_warp();
        }
    }
    // Of four groups in a row a later one may use the tag of the first.
    for (u32 i = 1; i < kGroupTags; ++i) {
        acquire(group.group_tags[(group.waits_for[member] - i) % kGroupTags]);
    }
}

// Executes and retires what a member waits for. Returns false where another has not issued it yet.
bool Machine::finish_wait(Warpgroup& group, int member) {
    for (const std::unique_ptr<WgmmaIssue>& issue : group.issues) {
        if ((issue->issued >> member & 1) == 0 || issue->group >= group.waits_for[member]) break;
        if (issue->executed) continue;
        if (issue->issued != kEveryMember) return false;
        execute_wgmma(group, *issue);
    }
    retire(group, member, group.waits_for[member]);
    return true;
}

void Machine::finish_waits(Warpgroup& group, int first_warp) {
    for (int member = 0; member < kGroupWarps; ++member) {
        if ((group.waiting >> member & 1) == 0 || !finish_wait(group, member)) continue;
        group.waiting &= ~(1u << member);
        wake_warp(first_warp + member);
    }
}

// What the last lane of a warp checks before the warp issues.
void Machine::check_wgmma(const Warp& self) {
    const abi::WgmmaOperation& operation = self.wgmma[0];
    for (const abi::WgmmaOperation& each : self.wgmma) {
        if (!is_same(operation, each)) fail_rule(kName, 0, "the lanes of a warp differ");
    }
    if (operation.kind > kE4m3) fail_rule(kName, operation.kind, "there is no such kind");
    if (!is_size(operation.kind, operation.n)) {
        fail_rule(kName, operation.n, "there is no such n for these types");
    }
    if (operation.b_mn_major != 0) {
        if (!is_16_bit(operation.kind)) {
            fail_rule(kName, 0, "only 16-bit types may have B with columns contiguous");
        }
        if (decode_descriptor(operation.b_descriptor).swizzle == 0) {
            fail_rule(kName, 0, "B with columns contiguous has a swizzle here");
        }
    }
    if (!decode_descriptor(operation.b_descriptor).valid ||
        (operation.a == nullptr && !decode_descriptor(operation.a_descriptor).valid)) {
        fail_rule(kName, 0, "bits of a descriptor that must be zero are not");
    }
}

void Machine::issue_wgmma(const abi::WgmmaOperation& operation, void* caller) {
    const int warp_index = thread() / kWarpLanes, member = warp_index % kGroupWarps;
    Warpgroup& group = warpgroup_of(warp_index, kName);
    Warp& self = warp();
    self.wgmma[lane()] = operation;
    release(group.issue_tags[member]);
    if (!arrive(Wait::kWgmma)) return;
    check_wgmma(self);
    if (!group.has_fenced[member]) fail_rule(kName, 0, "warpgroup_fence is missing before it");

    WgmmaIssue* const next = group.next_issue(member);
    if (next == nullptr) fail_rule(kName, 0, "more than 1024 are in flight");
    WgmmaIssue& issue = *next;
    if (issue.issued == 0) {
        issue.operation = self.wgmma[0];
        issue.caller = caller;
        issue.group = group.groups[member];
        issue.waits = group.waits[member];
        issue.accumulator = group.accumulator_for(member, issue.operation);
        if (issue.accumulator == nullptr) {
            fail_rule(kName, 0, "D overlaps one in flight that starts elsewhere or has another n");
        }
    } else if (!is_same(issue.operation, self.wgmma[0]) || issue.group != group.groups[member]) {
        fail_rule(kName, 0, "the warps of a warpgroup differ");
    } else if (issue.waits != group.waits[member]) {
        // PTX ISA, wgmma.wait_group: .aligned, so not in a branch that some warps take.
        fail_rule(kName, 0, "the warps of a warpgroup differ in their waits before it");
    }
    take_registers(group, member, issue);
    issue.issued |= 1u << member;
    ++group.issued[member];
    if (issue.issued == kEveryMember) {
        for (char& tag : group.issue_tags) group.shadow.acquire_from(tag);
        early_work_ += wgmma_landing_ == Landing::kAnyTime;
        if (wgmma_landing_ == Landing::kAtIssue) execute_wgmma(group, issue);
        finish_waits(group, warp_index - member);
    }
    complete();
}

// Takes the registers a warp names: A's words, and D's unless it is in flight already.
void Machine::take_registers(Warpgroup& group, int member, WgmmaIssue& issue) {
    const Warp& self = warp();
    const u32 n = issue.operation.n;
    if (issue.operation.a != nullptr) {
        if (!group.is_fenced[member]) {
            fail_rule(kName, 0, "A in registers needs a warpgroup_fence since the last wait");
        }
        for (int i = 0; i < kWarpLanes; ++i) {
            issue.a[member][i] = self.wgmma[i].a;
            for (int j = 0; j < 4; ++j) issue.a_words[member][i][j] = self.wgmma[i].a[j];
        }
    }
    Accumulator& accumulator = *issue.accumulator;
    const u32 bit = 1u << member;
    accumulator.last_group[member] = issue.group;
    bool changed = (accumulator.given_back & bit) == 0;
    for (int i = 0; i < kWarpLanes; ++i) {
        u32* const registers = self.wgmma[i].d;
        if (accumulator.registers[member][i] != registers) {
            if ((accumulator.in_flight & bit) != 0) {
                fail_rule(kName, 0, "the warps of a warpgroup differ in their registers of D");
            }
            accumulator.registers[member][i] = registers;
            changed = true;
        }
        if ((accumulator.in_flight & bit) != 0) continue;
        for_registers(i, n, [&](u32 j, u32 row, u32 column) {
            u32& value = accumulator.d[16 * static_cast<u32>(member) + row][column];
            changed |= value != registers[j];
            value = registers[j];
            registers[j] = Accumulator::kInFlight;
        });
        poison(registers, n / 2 * sizeof(u32));
    }
    if ((accumulator.in_flight & bit) != 0) return;
    if (changed && issue.operation.accumulate != 0 && !group.is_fenced[member]) {
        fail_rule(kName, 0, "D was written since the last warpgroup_fence");
    }
    accumulator.in_flight |= bit;
    accumulator.given_back &= ~bit;
}

void Machine::give_registers(Accumulator& accumulator, int member) {
    bool intact = true;
    for (int i = 0; i < kWarpLanes; ++i) {
        u32* const registers = accumulator.registers[member][i];
        unpoison(registers, accumulator.n / 2 * sizeof(u32));
        for_registers(i, accumulator.n, [&](u32 j, u32 row, u32 column) {
            intact &= registers[j] == Accumulator::kInFlight;
            registers[j] = accumulator.d[16 * static_cast<u32>(member) + row][column];
        });
    }
    if (!intact) fail_rule(kName, 0, "registers of D were written before the wait for it");
    accumulator.in_flight &= ~(1u << member);
    accumulator.given_back |= 1u << member;
}

// Gives a member back the registers of its first `groups` groups.
void Machine::retire(Warpgroup& group, int member, u32 groups) {
    const u32 bit = 1u << member;
    for (const std::unique_ptr<WgmmaIssue>& issue : group.issues) {
        if ((issue->issued & bit) == 0 || issue->group >= groups) break;
        if ((issue->retired & bit) != 0) continue;
        issue->retired |= bit;
        if (issue->operation.a == nullptr) continue;
        u32 changes = 0;
        for (int i = 0; i < kWarpLanes; ++i) {
            for (int j = 0; j < 4; ++j) {
                changes |= issue->a[member][i][j] ^ issue->a_words[member][i][j];
            }
        }
        if (changes != 0) fail_rule(kName, 0, "registers of A were written before the wait for it");
    }
    for (const std::unique_ptr<Accumulator>& accumulator : group.accumulators) {
        if ((accumulator->in_flight & bit) == 0 || accumulator->last_group[member] >= groups) {
            continue;
        }
        give_registers(*accumulator, member);
    }
    group.drop_retired();
}

void Machine::execute_some_wgmma() {
    for (const std::unique_ptr<Warpgroup>& group : warpgroups_) {
        if (!group) continue;
        for (const std::unique_ptr<WgmmaIssue>& issue : group->issues) {
            if (issue->executed) continue;
            if (issue->issued != kEveryMember || !chance(8)) break;
            execute_wgmma(*group, *issue);
        }
    }
}

void Machine::execute_wgmma(Warpgroup& group, WgmmaIssue& issue) {
    // In the order of issue.
    for (const std::unique_ptr<WgmmaIssue>& each : group.issues) {
        if (each->executed) continue;
        const ShadowScope scope(group.shadow);
        const KernelLine line(each->caller);
        read_operands(group, *each);
        const abi::WgmmaOperation& operation = each->operation;
        multiply_warpgroup(static_cast<WgmmaKind>(operation.kind), group.tiles,
                           static_cast<int>(operation.n), operation.accumulate != 0,
                           each->accumulator->d);
        each->executed = true;
        early_work_ -= wgmma_landing_ == Landing::kAnyTime;
        release(group.group_tags[each->group % kGroupTags]);
        if (each.get() == &issue) return;
    }
}

}  // namespace sagejit::host
