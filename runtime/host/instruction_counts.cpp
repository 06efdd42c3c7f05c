#include "host/instruction_counts.h"

#include <mutex>

namespace sagejit::host {
namespace {

// Ready before any code runs, and never destroyed: a thread may launch while the process exits.
constinit std::mutex mutex;
constinit InstructionCounts totals;

}  // namespace

InstructionCounts instructions_executed() {
    const std::lock_guard lock(mutex);
    return totals;
}

void add_executed(const InstructionCounts& counts) {
    const std::lock_guard lock(mutex);
    totals.mma += counts.mma;
    totals.wgmma += counts.wgmma;
    totals.ldmatrix += counts.ldmatrix;
    totals.stmatrix += counts.stmatrix;
    totals.shuffles += counts.shuffles;
    totals.votes += counts.votes;
    totals.barriers += counts.barriers;
}

}  // namespace sagejit::host
