#include "launch.h"

#include <cstddef>
#include <cstdint>

namespace sagejit {
namespace {

constexpr uintptr_t kVectorBytes = 16;
constexpr int64_t kVectorElements = 8;  // of 2 bytes

// Axes with one element have stride 0, whatever the caller wrote there.
void set_strides(abi::TensorView& view, const TensorRef& tensor) {
    const auto stride = [&tensor](int axis) {
        return tensor.shape[axis] > 1 ? tensor.strides[axis] : 0;
    };
    view.stride_batch = stride(0);
    view.stride_head = stride(1);
    view.stride_token = stride(2);
}

void set_data(abi::TensorView& view, void* data) {
    view.data = data;
    const int64_t strides = view.stride_batch | view.stride_head | view.stride_token;
    const bool aligned =
        reinterpret_cast<uintptr_t>(data) % kVectorBytes == 0 && strides % kVectorElements == 0;
    view.vector_access = aligned ? 1 : 0;
}

}  // namespace

abi::Call make_call(const Arguments& arguments, const Shape& shape, const Workspace& layout,
                    void* workspace) {
    abi::Call call = make_call_sizes(arguments, shape, layout);
    set_workspace(call, layout, workspace);
    set_call_values(call, arguments);
    return call;
}

abi::Call make_call_sizes(const Arguments& arguments, const Shape& shape, const Workspace& layout) {
    abi::Call call{};
    set_strides(call.q, arguments.q);
    set_strides(call.k, arguments.k);
    set_strides(call.v, arguments.v);
    set_strides(call.o, arguments.o);
    // make_workspace has refused sizes past 32 bits.
    call.batch = static_cast<int32_t>(shape.batch);
    call.heads_q = static_cast<int32_t>(shape.heads_q);
    call.heads_kv = static_cast<int32_t>(shape.heads_kv);
    call.group_size = call.heads_kv > 0 ? call.heads_q / call.heads_kv : 1;
    call.len_q = static_cast<int32_t>(shape.len_q);
    call.len_k = static_cast<int32_t>(shape.len_k);
    call.q_tiles = layout.q_tiles;
    call.tall_tiles = layout.tall_tiles;
    call.low_rows = layout.low_rows;
    call.k_tiles = layout.k_tiles;
    call.chunks = layout.chunks;
    call.chunk_tokens = layout.chunk_tokens;
    return call;
}

[[gnu::hot]] void set_workspace(abi::Call& call, const Workspace& layout, void* workspace) {
    const auto place = [workspace]<typename Element>(Element*& pointer,
                                                     const WorkspaceRegion& region) {
        auto* const address =
            reinterpret_cast<Element*>(static_cast<std::byte*>(workspace) + region.offset);
        pointer = region.bytes != 0 ? address : nullptr;  // null: unused
    };
    place(call.q_int8, layout.q_int8);
    place(call.q_scale, layout.q_scale);
    place(call.q_shift, layout.q_shift);
    place(call.q_amax, layout.q_amax);
    place(call.k_int8, layout.k_int8);
    place(call.k_meta, layout.k_meta);
    place(call.k_mean, layout.k_mean);
    place(call.k_sum, layout.k_sum);
    place(call.k_amax, layout.k_amax);
    place(call.v_work, layout.v_work);
    place(call.v_scale, layout.v_scale);
    place(call.v_mean, layout.v_mean);
    place(call.v_residue, layout.v_residue);
    place(call.v_first_bad, layout.v_first_bad);
    place(call.tiles_drawn, layout.tiles_drawn);
    place(call.v_notes, layout.v_notes);
    place(call.v_amax, layout.v_amax);
    place(call.v_chunk_bad, layout.v_chunk_bad);
}

[[gnu::hot]] void set_call_values(abi::Call& call, const Arguments& arguments) {
    set_data(call.q, arguments.q.data);
    set_data(call.k, arguments.k.data);
    set_data(call.v, arguments.v.data);
    set_data(call.o, arguments.o.data);
    call.lse = arguments.lse;
    call.logit_scale = arguments.logit_scale;
}

}  // namespace sagejit
