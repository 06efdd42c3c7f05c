// Rows of a caller's tensor.

// First element of one batch and head; 64-bit offsets.
__device__ __forceinline__ const u16* head_base(const TensorView& view, i32 batch, i32 head) {
    return static_cast<const u16*>(view.data) + batch * view.stride_batch + head * view.stride_head;
}

// Element offset of a token. The launcher keeps token strides below 2^31.
__device__ __forceinline__ u64 token_offset(const TensorView& view, u32 token) {
    return static_cast<u64>(token) * static_cast<u32>(view.stride_token);
}

// Reads eight channels, as four pairs.
__device__ __forceinline__ void load_eight(u32 (&pairs)[4], const u16* source, bool vector) {
    if (vector) {
        load_global_u32x4(pairs, source);
    } else {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            pairs[i] = static_cast<u32>(source[2 * i]) | static_cast<u32>(source[2 * i + 1]) << 16;
        }
    }
}

// Channel `index` of the eight that load_eight read.
__device__ __forceinline__ u16 nth_of_eight(const u32 (&pairs)[4], int index) {
    return static_cast<u16>(pairs[index / 2] >> (index % 2 * 16));
}

// The key head that a query row attends to, as an index into workspace arrays.
__device__ __forceinline__ i32 kv_row_of(const Call& call, i32 q_row) {
    return q_row / call.group_size;
}
