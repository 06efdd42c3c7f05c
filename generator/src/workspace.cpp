#include "sagejit/generator/workspace.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "sagejit/generator/error.h"

namespace sagejit {
namespace {

// Measured on an H200: of causal calls whose tiles are dealt out in advance, 13 key tiles are
// faster by persistent CTAs, 205 slower.
constexpr int kMaxPersistentKeyTiles = 64;

constexpr int64_t kMaxTokens = int64_t{1} << 30;  // token indices are 32-bit
constexpr int64_t kMaxCtas = 0x7FFFFFFF;          // x extent of a grid
constexpr size_t kRegionAlignment = 256;          // bytes
constexpr int kMaxChunks = 32;                    // partial sums a quantizer CTA adds up
constexpr int kMinChunkTokens = 64;

// Of sizes that have been checked: both fit 32 bits, whose division is several times as fast as
// that of 64. Every launch comes through here.
int divide_up(int64_t value, int64_t divisor) {
    const auto sum = static_cast<uint32_t>(value + divisor - 1);
    return static_cast<int>(sum / static_cast<uint32_t>(divisor));
}

[[noreturn]] void refuse(const std::string& what, const std::string& message) {
    throw Error(ErrorCode::kInvalidArgument, message, what);
}

void check_shape(const Shape& shape) {
    const auto check_size = [](const char* name, int64_t value) {
        if (static_cast<uint64_t>(value) <= kMaxTokens) return;
        if (value < 0) refuse(name, "is negative: " + std::to_string(value));
        refuse(name, "is " + std::to_string(value) + ", at most " + std::to_string(kMaxTokens) +
                         " is supported");
    };
    check_size("batch", shape.batch);
    check_size("heads_q", shape.heads_q);
    check_size("heads_kv", shape.heads_kv);
    check_size("len_q", shape.len_q);
    check_size("len_k", shape.len_k);
    const auto heads_q = static_cast<uint32_t>(shape.heads_q);
    const auto heads_kv = static_cast<uint32_t>(shape.heads_kv);
    if (heads_q > 0 && (heads_kv == 0 || heads_q % heads_kv != 0)) {
        refuse("heads_q", "is " + std::to_string(shape.heads_q) + ", not a multiple of heads_kv " +
                              std::to_string(shape.heads_kv));
    }
}

bool nothing_to_do(const Shape& shape) {
    return shape.batch == 0 || shape.heads_q == 0 || shape.len_q == 0;
}

}  // namespace

Workspace make_workspace(const Plan& plan, const Shape& shape, int multiprocessors) {
    check_shape(shape);
    Workspace result;
    const int q_tiles_a_row = divide_up(shape.len_q, plan.tile_q);
    const int ctas_a_row = divide_up(q_tiles_a_row, plan.cluster_q) * plan.cluster_q;
    const int k_tiles_a_row = divide_up(shape.len_k, plan.tile_k);
    const __int128 rows =
        static_cast<__int128>(shape.batch) * (2 * shape.heads_q + 4 * shape.heads_kv);
    if (rows * std::max(ctas_a_row, k_tiles_a_row) > kMaxCtas) {
        refuse("shape", "batch * heads * tiles exceeds the 2^31 - 1 CTAs of a grid");
    }
    if (nothing_to_do(shape)) return result;
    result.q_tiles = result.tall_tiles = q_tiles_a_row;
    if (plan.has_low_tiles) {
        const QueryTiles tiles = cut_queries(plan, shape, multiprocessors * plan.ctas_per_sm);
        result.q_tiles = tiles.count();
        result.tall_tiles = tiles.tall;
        result.low_rows = tiles.low_rows;
    }
    result.k_tiles = k_tiles_a_row;
    if (shape.len_k > 0) {
        const int per_chunk = divide_up(divide_up(shape.len_k, kMaxChunks), kMinChunkTokens);
        result.chunk_tokens = per_chunk * kMinChunkTokens;
        result.chunks = divide_up(shape.len_k, result.chunk_tokens);
    }

    const size_t q_rows = static_cast<size_t>(shape.batch * shape.heads_q);
    const size_t kv_rows = static_cast<size_t>(shape.batch * shape.heads_kv);
    const size_t q_tiles = q_rows * result.q_tiles;
    const size_t k_tiles = kv_rows * result.k_tiles;
    const size_t chunk_rows = kv_rows * result.chunks;
    const auto place = [&result](WorkspaceRegion& region, bool used, size_t bytes) {
        if (!used) return;
        region.offset = result.bytes;
        region.bytes = bytes;
        result.bytes += (bytes + kRegionAlignment - 1) / kRegionAlignment * kRegionAlignment;
    };
    const size_t word = sizeof(float);
    const bool tensor = plan.has_amax;
    if (plan.target.family == Family::kWgmma) {
        // Scales lie behind the keys of their tile. V in 16 bits is packed only where its rows
        // cannot be copied as they are, but the size must not depend on that.
        const auto value_tile = static_cast<size_t>(plan.value_tile_bytes);
        const size_t channels = kv_rows * plan.head_dim_v_padded;
        const bool fp8 = plan.v_path == VPath::kFp8;
        place(result.k_int8, true, k_tiles * plan.k_tile_bytes);
        result.k_meta = result.k_int8;
        result.k_meta.offset += static_cast<size_t>(plan.tile_k) * plan.head_dim_padded;
        place(result.k_mean, plan.spec.smooth_k, kv_rows * plan.head_dim_padded * word);
        place(result.v_work, true, k_tiles * value_tile);
        place(result.v_scale, fp8, channels * word);
        place(result.v_mean, fp8, channels * word);
        place(result.v_residue, fp8, channels * word);
        place(result.v_first_bad, fp8, channels * word);
        place(result.v_notes, fp8, kv_rows * 2 * word);
        place(result.tiles_drawn, plan.draws_tiles && k_tiles > 0, word);
        return result;
    }
    const bool lse_shift = plan.spec.lse && plan.spec.smooth_k;
    const bool converted = plan.v_path != VPath::kDirect;
    const bool int8_values = plan.v_path == VPath::kInt8;
    const size_t value_bytes = int8_values ? 1 : 2;
    const size_t channels_v = plan.head_dim_v_padded;

    place(result.q_int8, true, q_tiles * plan.tile_q * plan.head_dim_padded);
    place(result.q_scale, true, q_tiles * plan.q_scales_per_tile * word);
    place(result.q_shift, lse_shift, q_tiles * plan.tile_q * word);
    place(result.q_amax, tensor, q_tiles * word);
    place(result.k_int8, true, k_tiles * plan.k_tile_bytes);
    place(result.k_meta, true, k_tiles * plan.k_meta_bytes);
    place(result.k_sum, plan.spec.smooth_k, chunk_rows * plan.head_dim_padded * word);
    place(result.k_amax, tensor, k_tiles * word);
    place(result.v_work, converted, k_tiles * plan.tile_k * channels_v * value_bytes);
    place(result.v_scale, converted, kv_rows * channels_v * word);
    place(result.v_first_bad, int8_values, kv_rows * channels_v * word);
    place(result.v_amax, converted, chunk_rows * channels_v * word);
    place(result.v_chunk_bad, converted, chunk_rows * channels_v * word);
    return result;
}

LaunchSteps launch_steps(const Plan& plan, const Shape& shape) {
    return launch_steps(plan, shape, make_workspace(plan, shape));
}

LaunchSteps launch_steps(const Plan& plan, const Shape& shape, const Workspace& workspace) {
    LaunchSteps steps;
    if (nothing_to_do(shape)) return steps;
    const int64_t q_tiles = shape.batch * shape.heads_q * workspace.q_tiles;
    const int64_t k_tiles = shape.batch * shape.heads_kv * workspace.k_tiles;
    if (plan.target.family == Family::kWgmma) {
        if (plan.samples_first && k_tiles > 0) {
            steps.push_back({"sample", 2 * shape.batch * shape.heads_kv, plan.quant_threads,
                             plan.quant_shared_bytes});
        }
        if (k_tiles > 0) {
            steps.push_back({"quantize", k_tiles, plan.quant_threads, plan.quant_shared_bytes,
                             plan.samples_first, plan.quant_ctas_per_sm});
        }
        // Tiles of different length that take long and are not drawn are dealt out better one CTA
        // at a time.
        const bool persistent = plan.draws_tiles || plan.spec.causal == CausalMode::kNone ||
                                workspace.k_tiles <= kMaxPersistentKeyTiles;
        const int64_t clusters =
            shape.batch * shape.heads_q * divide_up(workspace.q_tiles, plan.cluster_q);
        steps.push_back({"attention", clusters * plan.cluster_q, plan.threads, plan.shared_bytes,
                         k_tiles > 0, persistent ? plan.ctas_per_sm : 0, plan.cluster_q});
        return steps;
    }
    if (plan.has_statistics && shape.len_k > 0) {
        steps.push_back({"statistics", shape.batch * shape.heads_kv * workspace.chunks,
                         plan.quant_threads, plan.statistics_shared_bytes});
    }
    if (plan.has_amax) {
        steps.push_back(
            {"tile_amax", q_tiles + k_tiles, plan.quant_threads, plan.quant_shared_bytes});
    }
    const int64_t v_tiles = plan.v_path == VPath::kDirect ? 0 : k_tiles;
    steps.push_back(
        {"quantize", q_tiles + k_tiles + v_tiles, plan.quant_threads, plan.quant_shared_bytes});
    steps.push_back({"attention", q_tiles, plan.threads, plan.shared_bytes});
    return steps;
}

}  // namespace sagejit
