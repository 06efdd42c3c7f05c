// What the host device has executed.
#pragma once

#include <cstdint>

namespace sagejit::host {

// Instructions of warps, each counted once for its 32 lanes; of a wgmma each of the four warps that
// issue it. Arithmetic of single threads is not counted: the compiler of the host has made it its
// own.
struct InstructionCounts {
    uint64_t mma = 0, wgmma = 0, ldmatrix = 0, stmatrix = 0, shuffles = 0, votes = 0;
    uint64_t barriers = 0;  // of warps, of the CTA, named ones

    uint64_t total() const {
        return mma + wgmma + ldmatrix + stmatrix + shuffles + votes + barriers;
    }
    InstructionCounts operator-(const InstructionCounts& other) const {
        return {mma - other.mma,           wgmma - other.wgmma,       ldmatrix - other.ldmatrix,
                stmatrix - other.stmatrix, shuffles - other.shuffles, votes - other.votes,
                barriers - other.barriers};
    }
};

// By every CTA of this process that has ended. May be called from any thread.
InstructionCounts instructions_executed();

// For the machine.
void add_executed(const InstructionCounts& counts);

}  // namespace sagejit::host
