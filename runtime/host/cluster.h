// Thread-block clusters (PTX ISA, "Cluster of Cooperative Thread Arrays"): CTAs that run at the
// same time and reach one another's shared memory.
#pragma once

#include <array>

#include "call.h"

namespace sagejit::host {

class Machine;

inline constexpr int kMostClusterCtas = 8;  // that every GPU with clusters takes

// What the machines of one cluster share. A CTA without a cluster is one of its own.
struct Cluster {
    int size = 1;
    std::array<Machine*, kMostClusterCtas> ctas{};
    abi::u32 phase = 0;          // cluster barriers completed
    std::array<char, 2> tags{};  // of this one and the next
};

// A peer address: the address in the low bits, above them the rank plus one. Without a rank, as in
// PTX, the CTA's own.
inline constexpr int kPeerShift = 24;

}  // namespace sagejit::host
