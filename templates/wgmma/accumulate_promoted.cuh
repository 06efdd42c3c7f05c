// The tensor core's accumulator of e4m3 products keeps about 13 bits: every plan::promote_tiles key
// tiles it joins a master in fp32 and starts anew. The master lies in shared memory, four numbers
// of a thread together; no thread touches another's.
constexpr u32 kMasterStep =
    16 * 32 * plan::warps;  // bytes from four of a thread's to the next four

__device__ __forceinline__ u32 master_of(const Walk& walk) {
    return walk.shared + plan::master_offset + 16 * thread_index();
}

__device__ __forceinline__ void load_master(f32 (&numbers)[4], u32 address) {
    u32 bits[4];
    load_shared_u32x4(bits, address);
#pragma unroll
    for (int i = 0; i < 4; ++i) numbers[i] = bits_to_f32(bits[i]);
}
__device__ __forceinline__ void store_master(u32 address, const f32 (&numbers)[4]) {
    u32 bits[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) bits[i] = f32_to_bits(numbers[i]);
    store_shared_u32x4(address, bits);
}

__device__ __forceinline__ void rescale_master(u32 master, const RowState& rows) {
#pragma unroll 2
    for (int i = 0; i < plan::head_dim_v / 8; ++i) {
        f32 numbers[4];
        load_master(numbers, master + i * kMasterStep);
#pragma unroll
        for (int j = 0; j < 4; ++j) numbers[j] *= rows.shrink[j / 2];
        store_master(master + i * kMasterStep, numbers);
    }
}

// The accumulator joins the master, or becomes it.
__device__ __forceinline__ void promote(u32 master, bool first, Output& output) {
#pragma unroll
    for (int i = 0; i < plan::head_dim_v / 8; ++i) {
        // Keeps loads from running ahead of what there are registers for.
        if (i % 4 == 0) warp_barrier();
        f32 numbers[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        if (!first) load_master(numbers, master + i * kMasterStep);
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            numbers[j] += output[4 * i + j];
            output[4 * i + j] = 0.0f;
        }
        store_master(master + i * kMasterStep, numbers);
    }
}

// The softmax of `tile` has moved the reference.
__device__ __forceinline__ void rescale_all(const Walk& walk, i32 tile, Output& output,
                                            RowState& rows) {
    rescale(output, rows);
    if (tile > plan::promote_tiles) rescale_master(master_of(walk), rows);
}

// Steps are walked in stretches, `tile` the first of one: step t adds the product of tile t - 1, so
// that promote_tiles products end one.
__device__ __forceinline__ i32 stretch_end(i32 tile, i32 tiles) {
    const i32 end = tile + plan::promote_tiles;
    return end < tiles ? end : tiles;
}

// Before step `tile`: `tile` - 1 products have been added.
__device__ __forceinline__ void end_stretch(const Walk& walk, i32 tile, Output& output) {
    if (tile == 1 || (tile - 1) % plan::promote_tiles != 0) return;
    promote(master_of(walk), tile == plan::promote_tiles + 1, output);
}

// After the last of `tiles` products: all of O comes together.
__device__ __forceinline__ void join_master(const Walk& walk, i32 tiles, Output& output) {
    if (tiles <= plan::promote_tiles) return;
#pragma unroll
    for (int i = 0; i < plan::head_dim_v / 8; ++i) {
        f32 numbers[4];
        load_master(numbers, master_of(walk) + i * kMasterStep);
#pragma unroll
        for (int j = 0; j < 4; ++j) output[4 * i + j] += numbers[j];
    }
}
