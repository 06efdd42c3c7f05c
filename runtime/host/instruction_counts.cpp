#include "host/instruction_counts.h"

#include <mutex>

namespace sagejit::host {
namespace {

struct Totals {
    std::mutex mutex;
    InstructionCounts counts;
};

// Never destroyed: a thread may still launch while the process exits.
Totals& totals() {
    static Totals* const instance = new Totals;
    return *instance;
}

}  // namespace

InstructionCounts instructions_executed() {
    const std::lock_guard lock(totals().mutex);
    return totals().counts;
}

void add_executed(const InstructionCounts& counts) {
    const std::lock_guard lock(totals().mutex);
    InstructionCounts& sum = totals().counts;
    sum.mma += counts.mma;
    sum.wgmma += counts.wgmma;
    sum.ldmatrix += counts.ldmatrix;
    sum.shuffles += counts.shuffles;
    sum.votes += counts.votes;
    sum.barriers += counts.barriers;
}

}  // namespace sagejit::host
