// mbarriers: barriers in shared memory that count arrivals and the bytes of asynchronous copies
// (PTX ISA, "mbarrier").
#pragma once

#include <array>

#include "call.h"

namespace sagejit::host {

using abi::f32, abi::i32, abi::i64, abi::i8, abi::u16, abi::u32, abi::u64, abi::u8;

struct Mbarrier {
    u32 address = 0;
    u32 arrivals = 0;            // that end a phase
    u32 pending = 0;             // of them, in this phase
    i64 bytes = 0;               // expected less landed, in this phase
    u32 phase = 0;               // phases ended
    bool shown = false;          // to asynchronous copies, by mbarrier_init_fence
    std::array<char, 2> tags{};  // of phases of either parity
    // The same for arrivals from anywhere in the cluster, which a wait of the CTA's scope does not
    // order.
    std::array<char, 2> cluster_tags{};

    // Whether the phase of a parity has ended: the one before the current has.
    bool has_ended(u32 parity) const { return (phase & 1) != parity; }
};

// What a lane that waits waits for.
struct MbarrierWait {
    u16 barrier = 0;  // in the set
    u8 parity = 0;
    bool polls = false;  // comes back without the phase having ended when nothing else can run
    bool ended = false;  // why it was woken
};

// The mbarriers of a CTA.
class MbarrierSet {
  public:
    static constexpr int kMost = 256;

    void clear() { count_ = 0; }
    int size() const { return count_; }
    Mbarrier& operator[](int index) { return barriers_[index]; }
    const Mbarrier& operator[](int index) const { return barriers_[index]; }
    int index_of(const Mbarrier& barrier) const {
        return static_cast<int>(&barrier - barriers_.data());
    }
    // The one at an address, or null.
    Mbarrier* find(u32 address) {
        for (int i = 0; i < count_; ++i) {
            if (barriers_[i].address == address) return &barriers_[i];
        }
        return nullptr;
    }
    // Null when there are too many.
    Mbarrier* add(u32 address) {
        if (count_ == kMost) return nullptr;
        Mbarrier& barrier = barriers_[count_++];
        barrier.address = address;
        return &barrier;
    }
    void show() {
        for (int i = 0; i < count_; ++i) barriers_[i].shown = true;
    }

  private:
    int count_ = 0;
    std::array<Mbarrier, kMost> barriers_;
};

// One of the sixteen barriers that bar.sync and bar.arrive number.
struct NamedBarrier {
    u32 threads = 0;  // that end a phase; 0 while nobody is there
    u32 arrived = 0;
    u32 waiting = 0;  // warps
    u32 phase = 0;
    std::array<char, 2> tags{};
};

}  // namespace sagejit::host
