// What happened to a CTA that cannot go on, in words.
#include <fmt/format.h>

#include <string>
#include <string_view>

#include "host/machine.h"
#include "sagejit/generator/error.h"

namespace sagejit::host {
namespace {

std::string_view to_string(Wait wait) {
    switch (wait) {
        case Wait::kNothing:
            return "have not started";
        case Wait::kCtaBarrier:
            return "wait at cta_barrier";
        case Wait::kClusterArrive:
            return "wait at cluster_arrive";
        case Wait::kClusterWait:
            return "wait at cluster_wait";
        case Wait::kWarpBarrier:
            return "wait at warp_barrier";
        case Wait::kLdmatrix:
            return "wait at ldmatrix_x4";
        case Wait::kLdmatrixTransposed:
            return "wait at ldmatrix_x4 (transposed)";
        case Wait::kStmatrix:
            return "wait at stmatrix_x4";
        case Wait::kMmaS8:
            return "wait at mma_s8";
        case Wait::kMmaU8S8:
            return "wait at mma_u8s8";
        case Wait::kMmaF16F32:
            return "wait at mma_f16_f32";
        case Wait::kMmaF16F16:
            return "wait at mma_f16_f16";
        case Wait::kShuffleXor:
            return "wait at shuffle_xor";
        case Wait::kVoteAny:
            return "wait at vote_any";
        case Wait::kMbarrier:
            return "wait at an mbarrier";
        case Wait::kNamedBarrier:
            return "wait at a named barrier";
        case Wait::kSetMaxRegisters:
            return "wait at set_max_registers";
        case Wait::kWgmma:
            return "wait at wgmma";
        case Wait::kWarpgroupFence:
            return "wait at warpgroup_fence";
        case Wait::kWarpgroupCommit:
            return "wait at warpgroup_commit";
        case Wait::kWarpgroupWait:
            return "wait at warpgroup_wait";
        case Wait::kExit:
            return "have exited";
    }
    return "";
}

// "0-3,8" for lanes 0, 1, 2, 3 and 8.
std::string lane_list(const Warp& warp, Wait wait) {
    std::string text;
    for (int first = 0; first < kWarpLanes; ++first) {
        if (warp.waits[first] != wait) continue;
        int last = first;
        while (last + 1 < kWarpLanes && warp.waits[last + 1] == wait) ++last;
        text += text.empty() ? "" : ",";
        text += first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last);
        first = last;
    }
    return text;
}

// "lanes 0-15 wait at vote_any, lanes 16-31 have exited".
std::string describe(const Warp& warp) {
    std::string text;
    for (int i = 0; i <= static_cast<int>(Wait::kExit); ++i) {
        const Wait wait = static_cast<Wait>(i);
        const std::string lanes = lane_list(warp, wait);
        if (lanes.empty()) continue;
        text += fmt::format("{}lanes {} {}", text.empty() ? "" : ", ", lanes, to_string(wait));
    }
    return text;
}

// "; mbarrier at 64: phase 3 lacks 1 of 2 arrivals and 512 bytes" for those that lanes wait at.
std::string describe_mbarriers(const Machine& machine) {
    std::string text;
    for (int i = 0; i < machine.mbarriers().size(); ++i) {
        int waiting = 0;
        for (int j = 0; j < machine.warps() * kWarpLanes; ++j) {
            const Warp& warp = machine.warp(j / kWarpLanes);
            waiting += warp.waits[j % kWarpLanes] == Wait::kMbarrier &&
                       warp.mbarrier_waits[j % kWarpLanes].barrier == i;
        }
        if (waiting == 0) continue;
        const Mbarrier& barrier = machine.mbarriers()[i];
        text += fmt::format(
            "; mbarrier at {}, where {} lanes wait: phase {} lacks {} of {} "
            "arrivals and {} bytes",
            barrier.address, waiting, barrier.phase, barrier.pending, barrier.arrivals,
            barrier.bytes);
    }
    return text;
}

// "warp 0: ...; warp 1: ...; mbarrier at 64 ...".
std::string describe_waits(const Machine& machine) {
    std::string text;
    for (int i = 0; i < machine.warps(); ++i) {
        text += fmt::format("{}warp {}: {}", i == 0 ? "" : "; ", i, describe(machine.warp(i)));
    }
    return text + describe_mbarriers(machine);
}

std::string describe(const Machine& machine) {
    const Fault& fault = machine.fault();
    const int warp = fault.thread / kWarpLanes;
    switch (fault.kind) {
        case Fault::Kind::kNone:
            return "no fault";
        case Fault::Kind::kDiverged:
            return fmt::format("warp {} diverged and can never go on: {}", warp,
                               describe(machine.warp(warp)));
        case Fault::Kind::kStuck: {
            std::string text = "warps wait for each other and can never go on";
            text += ": " + describe_waits(machine);
            for (int i = 0; machine.cluster().size > 1 && i < machine.cluster().size; ++i) {
                const Machine& peer = *machine.cluster().ctas[i];
                if (&peer == &machine) continue;
                text += fmt::format("; in cta {}: {}", peer.job().cta, describe_waits(peer));
            }
            return text;
        }
        case Fault::Kind::kOutOfRange:
            return fmt::format("{}: {} bytes at shared address {} are outside the CTA's {} bytes",
                               fault.operation, fault.bytes, fault.address,
                               machine.job().shared_bytes);
        case Fault::Kind::kMisaligned:
            return fmt::format("{}: shared address {} is not aligned to its {} bytes",
                               fault.operation, fault.address, fault.bytes);
        case Fault::Kind::kRule:
            return fmt::format("{}({}): {}", fault.operation, fault.address, fault.rule);
        case Fault::Kind::kBadSize:
            return fmt::format("{}: {} bytes at shared address {} is no access size",
                               fault.operation, fault.bytes, fault.address);
    }
    return "";
}

}  // namespace

void throw_fault(const Machine& machine) {
    const int thread = machine.fault().thread;
    throw Error(ErrorCode::kLaunchFailed,
                fmt::format("cta {}, thread {} (warp {}, lane {}): {}", machine.job().cta, thread,
                            thread / kWarpLanes, thread % kWarpLanes, describe(machine)),
                {},
                machine.job().seed == 0 ? ""
                                        : fmt::format("SAGEJIT_HOST_SEED={} repeats this schedule",
                                                      machine.job().seed));
}

void throw_no_memory() {
    throw Error(ErrorCode::kLaunchFailed, "no memory for the stacks or the shared memory of a CTA");
}

}  // namespace sagejit::host
