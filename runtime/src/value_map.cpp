#include "value_map.h"

#include <algorithm>
#include <bit>

namespace sagejit {
namespace {

constexpr int64_t kElementBytes = 2;
constexpr uint32_t kPanelChannels = 64;  // 128 bytes, the widest swizzle
constexpr int64_t kMaxStrideBytes = int64_t{1} << 40;
// Keys and values of the heads at work at a time, which should stay in the L2 cache.
constexpr int64_t kCachedBytes = int64_t{24} << 20;

// Whether copies of boxes can read the tensor: 16-byte rows, and no element read at two places.
bool is_mappable(const abi::TensorView& view, const TensorRef& tensor) {
    if (view.vector_access == 0) return false;
    for (int axis = 0; axis < 3; ++axis) {
        const int64_t bytes = tensor.strides[axis] * kElementBytes;
        if (tensor.shape[axis] > 1 && (bytes == 0 || bytes >= kMaxStrideBytes)) return false;
    }
    return true;
}

TensorMapRequest value_request(const Plan& plan, const TensorRef& v) {
    TensorMapRequest request;
    request.base = v.data;
    request.element_bytes = static_cast<int>(kElementBytes);
    request.swizzle_bytes = static_cast<int>(kPanelChannels * kElementBytes);
    constexpr int kAxes[] = {3, 2, 1, 0};  // innermost first
    for (int i = 0; i < 4; ++i) {
        const int axis = kAxes[i];
        request.sizes[i] = static_cast<uint64_t>(v.shape[axis]);
        if (i == 0) continue;
        // An axis of one element has no stride; any legal one will do.
        const int64_t stride = v.shape[axis] > 1 ? v.strides[axis] * kElementBytes : 16;
        request.stride_bytes[i - 1] = static_cast<uint64_t>(stride);
    }
    request.box[0] = kPanelChannels;
    request.box[1] = static_cast<uint32_t>(plan.tile_k / plan.cluster_q);  // what one CTA brings
    request.box[2] = request.box[3] = 1;
    return request;
}

// Of sizes from half of `most` on that of whose chunks the last is the fullest. Of sizes that make
// as many chunks it is the smallest, so only those are tried.
int64_t fullest_chunk(int64_t all, int64_t most) {
    int64_t best = most, best_rest = 0;
    for (int64_t size = most; size > 0 && 2 * size >= most; --size) {
        const int64_t chunks = (all + size - 1) / size;
        size = std::min(size, (all + chunks - 1) / chunks);
        const int64_t rest = all - (chunks - 1) * size;
        if (2 * size >= most && rest * best > best_rest * size) {
            best = size;
            best_rest = rest;
        }
    }
    return best;
}

// Query heads whose tiles are worked on together: as many as the cache holds. With a mask the
// longest rows of them come first, so a last chunk of few heads would have its longest rows begin
// when most CTAs are through (docs/decisions/0039). Without one a head's tall tiles follow one
// another, which reads its keys best, and the low ones of all come last; the chunks are as large as
// one another then, so that the last one has its share of low ones.
int head_chunk(const Plan& plan, const abi::Call& call) {
    const int64_t row_bytes = plan.head_dim_padded + plan.value_tile_bytes / plan.tile_k;
    const int64_t head_bytes = std::max<int64_t>(1, row_bytes * call.len_k);
    const int64_t cached = std::max<int64_t>(1, kCachedBytes / head_bytes);
    const int64_t heads = cached * call.group_size;
    const int64_t all = std::max<int64_t>(1, int64_t{call.batch} * call.heads_q);
    if (plan.spec.causal != CausalMode::kNone) {
        const int64_t groups = std::max<int64_t>(1, all / call.group_size);
        return static_cast<int>(fullest_chunk(groups, std::min(cached, groups)) * call.group_size);
    }
    if (!plan.has_low_tiles) return 1;
    const int64_t chunks = (all + heads - 1) / heads;
    return static_cast<int>((all + chunks - 1) / chunks);
}

// divisor > 0.
abi::Divisor make_divisor(uint32_t divisor) {
    const auto shift = static_cast<uint32_t>(std::bit_width(divisor - 1));
    const uint64_t rest = (uint64_t{1} << shift) - divisor;
    return {static_cast<uint32_t>((rest << 32) / divisor + 1), shift};
}

}  // namespace

void set_tile_order(const Plan& plan, abi::Call& call) {
    call.head_chunk = head_chunk(plan, call);
    const int clusters = (call.q_tiles + plan.cluster_q - 1) / plan.cluster_q;
    call.by_chunk = make_divisor(static_cast<uint32_t>(call.head_chunk) * clusters);
    call.by_head_chunk = make_divisor(call.head_chunk);
    call.by_heads_q = make_divisor(call.heads_q);
    call.by_group_size = make_divisor(call.group_size);
    call.by_tall_tiles = make_divisor(static_cast<uint32_t>(std::max(1, call.tall_tiles)));
    call.by_low_tiles =
        make_divisor(static_cast<uint32_t>(std::max(1, call.q_tiles - call.tall_tiles)));
}

bool set_value_path(const Plan& plan, abi::Call& call) {
    if (plan.target.family != Family::kWgmma) return false;
    set_tile_order(plan, call);
    if (call.len_k == 0) return false;
    call.v_packed = plan.v_path == VPath::kFp8 ? 1 : 0;
    return call.v_packed == 0;
}

void add_value_map(const Plan& plan, const Arguments& arguments, const Executor& executor,
                   abi::Call& call) {
    call.v_packed = is_mappable(call.v, arguments.v) ? 0 : 1;
    if (call.v_packed == 0) {
        executor.encode_tensor_map(value_request(plan, arguments.v), call.v_map);
    }
}

}  // namespace sagejit
