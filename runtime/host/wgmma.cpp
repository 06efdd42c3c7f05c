#include "host/wgmma.h"

#include <utility>

namespace sagejit::host {

Warpgroup::Warpgroup() {
    accumulators.reserve(kMostAccumulators);
    issues.reserve(kMostIssues);
    spare.reserve(kMostIssues);
}

void Warpgroup::clear() {
    for (std::unique_ptr<WgmmaIssue>& issue : issues) spare.push_back(std::move(issue));
    issues.clear();
    for (const std::unique_ptr<Accumulator>& accumulator : accumulators) {
        accumulator->in_flight = 0;
        accumulator->given_back = 0;
    }
    retired = waiting = 0;
    for (int i = 0; i < kGroupWarps; ++i) {
        issued[i] = groups[i] = waits[i] = waits_for[i] = 0;
        is_fenced[i] = has_fenced[i] = false;
    }
}

bool Warpgroup::has_in_flight(int member) const {
    for (const std::unique_ptr<WgmmaIssue>& issue : issues) {
        if ((issue->issued >> member & 1) != 0 && (issue->retired >> member & 1) == 0) return true;
    }
    return false;
}

Accumulator* Warpgroup::accumulator_for(int member, const abi::WgmmaOperation& operation) {
    Accumulator* free = nullptr;
    for (const std::unique_ptr<Accumulator>& each : accumulators) {
        const u32* const first = each->registers[member][0];
        if (first == operation.d && each->n == operation.n) return each.get();
        const bool overlaps =
            first < operation.d + operation.n / 2 && operation.d < first + each->n / 2;
        if ((each->in_flight >> member & 1) != 0 && overlaps) return nullptr;
        if (each->in_flight == 0) free = each.get();
    }
    if (accumulators.size() < kMostAccumulators) {
        accumulators.push_back(std::make_unique<Accumulator>());
        free = accumulators.back().get();
    }
    if (free == nullptr) return nullptr;
    free->n = operation.n;
    free->given_back = 0;
    for (auto& member_registers : free->registers) {
        for (u32*& registers : member_registers) registers = nullptr;
    }
    return free;
}

WgmmaIssue* Warpgroup::next_issue(int member) {
    const std::size_t index = issued[member] - retired;
    if (index < issues.size()) return issues[index].get();
    if (issues.size() == kMostIssues) return nullptr;
    if (spare.empty()) spare.push_back(std::make_unique<WgmmaIssue>());
    issues.push_back(std::move(spare.back()));
    spare.pop_back();
    WgmmaIssue* const issue = issues.back().get();
    issue->accumulator = nullptr;
    issue->issued = issue->retired = 0;
    issue->executed = false;
    return issue;
}

void Warpgroup::drop_retired() {
    std::size_t count = 0;
    while (count < issues.size() && issues[count]->retired == kEveryMember) ++count;
    if (count == 0) return;
    for (std::size_t i = 0; i < count; ++i) spare.push_back(std::move(issues[i]));
    for (std::size_t i = count; i < issues.size(); ++i) issues[i - count] = std::move(issues[i]);
    issues.resize(issues.size() - count);
    retired += static_cast<u32>(count);
}

}  // namespace sagejit::host
