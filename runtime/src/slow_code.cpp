#include "slow_code.h"

#include <fmt/format.h>

#include <algorithm>

#include "sagejit/generator/error.h"

namespace sagejit {
namespace {

// Messages about the performance of wgmma: "(C7510) Potential Performance Loss: ...".
constexpr std::string_view kSerialised = "(C75";

std::string_view line_with(std::string_view text, std::string_view part) {
    const size_t at = text.find(part);
    if (at == std::string_view::npos) return {};
    const size_t begin = text.rfind('\n', at) + 1;  // 0 where there is none
    return text.substr(begin, std::min(text.find('\n', at), text.size()) - begin);
}

}  // namespace

std::string slow_code_problem(std::span<const CubinEntry> entries, std::string_view warnings) {
    for (const CubinEntry& entry : entries) {
        const int bytes = entry.spill_store_bytes + entry.spill_load_bytes;
        if (bytes > 0) {
            return fmt::format("ptxas spilled registers in {}: {} bytes stored and loaded",
                               entry.symbol, bytes);
        }
    }
    const std::string_view line = line_with(warnings, kSerialised);
    return line.empty() ? "" : fmt::format("ptxas says: {}", line);
}

bool chooses_tiles(const Spec& spec) {
    return spec.tile_q || spec.tile_k || spec.warp_q || spec.stages || spec.cluster_q;
}

void throw_slow_code(const Plan& plan, const std::string& problem, bool by_caller) {
    const std::string take_it = "allow_slow_code (--allow-slow-code) takes it as it is";
    throw Error(ErrorCode::kUnsupportedTarget,
                fmt::format("{}, on {} with tile_q {}, tile_k {}, warp_q {}, {} stages", problem,
                            plan.target.name, plan.tile_q, plan.tile_k, plan.warp_q, plan.stages),
                "tile",
                (by_caller ? "leave the tiles out or take smaller ones; "
                           : "choose smaller tiles, or use another NVRTC; ") +
                    take_it);
}

}  // namespace sagejit
