// Specs as keys: which of them ask for the same kernel.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "sagejit/generator/spec.h"

namespace sagejit {

// All of a spec but its name, which changes nothing, and its target. Launches by spec compare and
// hash these instead of member by member: less code, which is cold then (docs/decisions/0024).
using SpecNumbers = std::array<uint64_t, 7>;

inline SpecNumbers numbers_of(const Spec& spec) {
    // One name for each member: this does not compile when one is added.
    const auto& [name, head_dim, head_dim_v, dtype, output_dtype, causal, granularity, smooth_k,
                 pv_type, pv_accum, smooth_v, lse, tile_q, tile_k, warp_q, stages, cluster_q,
                 target] = spec;
    const auto byte = [](auto value, int place) {
        return static_cast<uint64_t>(static_cast<uint8_t>(value)) << 8 * place;
    };
    // An absent one differs from all others.
    const auto optional = [](const std::optional<int>& value) -> uint64_t {
        return value ? uint64_t{static_cast<uint32_t>(*value)} + 1 : 0;
    };
    return {uint64_t{static_cast<uint32_t>(head_dim)} << 32 | static_cast<uint32_t>(head_dim_v),
            byte(dtype, 0) | byte(output_dtype, 1) | byte(causal, 2) | byte(granularity, 3) |
                byte(pv_type, 4) | byte(pv_accum, 5) | byte(smooth_k, 6) |
                byte((smooth_v ? 1 : 0) | (lse ? 2 : 0), 7),
            optional(tile_q),
            optional(tile_k),
            optional(warp_q),
            optional(stages),
            optional(cluster_q)};
}

inline size_t hash_of(const SpecNumbers& numbers, const std::optional<std::string>& target) {
    uint64_t hash = 0;
    for (const uint64_t number : numbers) hash = std::rotl(hash, 9) ^ number;
    if (target) [[unlikely]] {
        hash = ~hash;
        for (const char letter : *target) hash = std::rotl(hash, 9) ^ static_cast<uint8_t>(letter);
    }
    hash *= 0x9e3779b97f4a7c15;  // 2^64 by the golden ratio
    return hash ^ (hash >> 32);
}

// Whether two specs are equal but for their names.
inline bool ask_for_the_same(const Spec& a, const Spec& b) {
    return numbers_of(a) == numbers_of(b) && a.target == b.target;
}

}  // namespace sagejit
