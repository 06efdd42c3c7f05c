// wgmma in flight: what the warps of a warpgroup have issued, and the registers that hold D until
// they wait for it.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "call.h"
#include "host/warpgroup_multiply.h"

namespace sagejit::host {

inline constexpr int kGroupWarps = 4;
inline constexpr int kGroupTags = 4;
inline constexpr u32 kEveryMember = (1u << kGroupWarps) - 1;

// D of the wgmma that use the same registers. The registers of each warp come here when its first
// wgmma is issued and go back when it waits for the last one; until then they hold kInFlight.
struct Accumulator {
    static constexpr u32 kInFlight = 0x7fdeadda;  // a NaN, as an int8 product far too large

    u32 n = 0;
    u32 in_flight = 0;   // members whose registers are here
    u32 given_back = 0;  // members whose registers held what is here when they got them back
    u32 last_group[kGroupWarps] = {};
    u32* registers[kGroupWarps][32] = {};
    alignas(64) u32 d[kTileRows][kMaxColumns];
};

// One wgmma of a warpgroup. It can execute when every member has issued it.
struct WgmmaIssue {
    abi::WgmmaOperation operation{};  // of the first lane
    void* caller = nullptr;           // the kernel's line, as a return address
    Accumulator* accumulator = nullptr;
    u32 group = 0;
    u32 waits = 0;    // that its members had executed before
    u32 issued = 0;   // members
    u32 retired = 0;  // members that waited for it
    bool executed = false;
    const u32* a[kGroupWarps][32] = {};
    u32 a_words[kGroupWarps][32][4] = {};  // as they were when issued
};

// What the four warps of a warpgroup have in flight.
struct Warpgroup {
    static constexpr std::size_t kMostAccumulators = 32;
    static constexpr std::size_t kMostIssues = 1024;

    std::vector<std::unique_ptr<Accumulator>> accumulators;
    std::vector<std::unique_ptr<WgmmaIssue>> issues;  // in order; those all members retired leave
    std::vector<std::unique_ptr<WgmmaIssue>> spare;   // to use again
    u32 retired = 0;                                  // issues that left
    std::array<u32, kGroupWarps> issued{};            // by each member
    std::array<u32, kGroupWarps> groups{};            // committed
    std::array<u32, kGroupWarps> waits{};             // executed
    std::array<u32, kGroupWarps> waits_for{};         // groups; while `waiting`
    u32 waiting = 0;                                  // members
    std::array<bool, kGroupWarps> is_fenced{};        // since the last wait
    std::array<bool, kGroupWarps> has_fenced{};
    ShadowThread shadow;
    std::array<char, kGroupWarps> issue_tags{};
    std::array<char, kGroupTags> group_tags{};  // of four groups in a row
    OperandTiles tiles;

    // Lanes of any thread of ThreadSanitizer use the lists: they must not grow.
    Warpgroup();
    // For the next CTA.
    void clear();
    // Whether a member has issued what it did not wait for.
    bool has_in_flight(int member) const;
    // The accumulator of registers that start at d; null where a member uses them in another way,
    // or too many are in flight.
    Accumulator* accumulator_for(int member, const abi::WgmmaOperation& operation);
    // The next wgmma of a member: one that others have issued, or a new one (accumulator null).
    // Null when too many are in flight.
    WgmmaIssue* next_issue(int member);
    // Drops what every member has retired.
    void drop_retired();
    bool can_execute(const WgmmaIssue& issue) const {
        return issue.issued == kEveryMember && !issue.executed;
    }
};

}  // namespace sagejit::host
