#include "spec_key.h"

#include <cstdint>

namespace sagejit {
namespace {

// One of them for each member, in the order of Spec. Taking a Spec apart by name count keeps this
// file from compiling when a member is added.
uint64_t mixed(uint64_t hash, uint64_t value) {
    constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;  // 2^64 by the golden ratio
    hash = (hash ^ value) * kOdd;
    return hash ^ (hash >> 32);
}

// Small numbers, so that several fit into one word; an absent one differs from all others.
uint64_t number(const std::optional<int>& value) { return value ? *value + 1u : 0u; }

}  // namespace

[[gnu::hot]] bool ask_for_the_same(const Spec& a, const Spec& b) {
    const auto& [name_a, head_dim, head_dim_v, dtype, output_dtype, causal, granularity, smooth_k,
                 pv_type, pv_accum, smooth_v, lse, tile_q, tile_k, warp_q, stages, cluster_q,
                 target] = a;
    return head_dim == b.head_dim && head_dim_v == b.head_dim_v && dtype == b.dtype &&
           output_dtype == b.output_dtype && causal == b.causal && granularity == b.granularity &&
           smooth_k == b.smooth_k && pv_type == b.pv_type && pv_accum == b.pv_accum &&
           smooth_v == b.smooth_v && lse == b.lse && tile_q == b.tile_q && tile_k == b.tile_k &&
           warp_q == b.warp_q && stages == b.stages && cluster_q == b.cluster_q &&
           target == b.target;
}

[[gnu::hot]] size_t hash_of(const Spec& spec) {
    const auto small = [](auto value) { return static_cast<uint64_t>(value); };
    uint64_t hash = mixed(
        small(spec.head_dim) << 32 | small(spec.head_dim_v),
        small(spec.dtype) << 40 | small(spec.output_dtype) << 32 | small(spec.causal) << 24 |
            small(spec.granularity) << 16 | small(spec.pv_type) << 12 | small(spec.pv_accum) << 8 |
            small(spec.smooth_v) << 2 | small(spec.smooth_k) << 1 | small(spec.lse));
    hash = mixed(hash, number(spec.tile_q) << 32 | number(spec.tile_k));
    hash =
        mixed(hash, number(spec.warp_q) << 32 | number(spec.cluster_q) << 16 | number(spec.stages));
    if (spec.target) {
        for (const char letter : *spec.target) hash = mixed(hash, static_cast<uint8_t>(letter));
    }
    return hash;
}

}  // namespace sagejit
