// Quantization of one tile of rows of Q or K: amax per group, then int8 with round to nearest even.
// Every float operation is an explicit IEEE one, so that all devices produce the same integers.
// The tile stays in registers between the two steps: one read, one write.

constexpr u32 kBadRow = 0xFFFFFFFFu;  // above every float's bits

// Shared memory of the kernel: the mean, then one word per group, then the first bad key.
constexpr u32 kMeanBytes = 4 * plan::head_dim_padded;

template <int tile_rows, int threads>
struct TileRows {
    static constexpr int kRowsPerPass = threads / plan::quant_lanes;
    static constexpr int kPasses = divide_up(tile_rows, kRowsPerPass);

    u32 pairs[kPasses][4];
    u32 bad_passes;  // bit p: the row of pass p holds NaN or Inf

    __device__ __forceinline__ static u32 lane() { return thread_index() % plan::quant_lanes; }
    __device__ __forceinline__ static u32 row(int pass) {
        return pass * kRowsPerPass + thread_index() / plan::quant_lanes;
    }
    __device__ __forceinline__ static bool in_tile(int pass) {
        return tile_rows % kRowsPerPass == 0 || row(pass) < tile_rows;
    }
    // The first row past the tile, or past the last token.
    __device__ __forceinline__ static i32 end(i32 valid) {
        return tile_rows % kRowsPerPass == 0 || valid < tile_rows ? valid : tile_rows;
    }
};

// Channel i of this lane's eight, less the mean.
template <class Rows>
__device__ __forceinline__ f32 centred(const Rows& tile, int pass, int i, const f32 (&mean)[8]) {
    return add_rn(input_to_f32(nth_of_eight(tile.pairs[pass], i)), -mean[i]);
}

// Reads `valid` rows, zeros after them, and raises each group's word to its largest magnitude.
// Rows with NaN or Inf take no part.
template <bool is_query, class Rows>
__device__ __forceinline__ void read_rows(Rows& tile, const TensorView& view, const u16* base,
                                          i32 first_token, i32 valid, const f32 (&mean)[8],
                                          u32 groups) {
    const u32 lane = Rows::lane();
    const i32 end = Rows::end(valid);
    tile.bad_passes = 0;
#pragma unroll
    for (int pass = 0; pass < Rows::kPasses; ++pass) {
        const u32 row = Rows::row(pass);
        const bool inside = static_cast<i32>(row) < end && lane * 8 < plan::head_dim;
#pragma unroll
        for (int i = 0; i < 4; ++i) tile.pairs[pass][i] = 0;
        if (inside) {
            load_eight(tile.pairs[pass], base + token_offset(view, first_token + row) + 8 * lane,
                       view.vector_access != 0);
        }
    }
#pragma unroll
    for (int pass = 0; pass < Rows::kPasses; ++pass) {
        const u32 row = Rows::row(pass);
        u32 largest = 0;
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            const u32 bits = f32_to_bits(centred(tile, pass, i, mean)) & 0x7FFFFFFFu;
            largest = bits > largest ? bits : largest;
            if (!input_is_finite(nth_of_eight(tile.pairs[pass], i))) largest = kBadRow;
        }
#pragma unroll
        for (int step = 1; step < plan::quant_lanes; step *= 2) {
            const u32 other = shuffle_xor_u32(largest, step);
            largest = other > largest ? other : largest;
        }
        if (static_cast<i32>(row) >= end) continue;
        if (largest == kBadRow) {
            tile.bad_passes |= 1u << pass;
        } else if (lane == 0) {
            const u32 group = is_query ? query_group(row) : key_group(row);
            atomic_max_shared(groups + 4 * group, largest);
        }
    }
}

// Writes the rows as int8: store(row, channel, bytes) takes 8 channels. sign: -1 negates.
template <bool is_query, class Rows, class Store>
__device__ __forceinline__ void write_rows(const Rows& tile, i32 valid, const f32 (&mean)[8],
                                           f32 sign, u32 groups, const Store& store) {
    const u32 lane = Rows::lane();
    if (lane * 8 >= plan::head_dim_padded) return;
#pragma unroll
    for (int pass = 0; pass < Rows::kPasses; ++pass) {
        if (!Rows::in_tile(pass)) continue;
        const u32 row = Rows::row(pass);
        const f32 amax = group_amax(groups, is_query ? query_group(row) : key_group(row));
        const f32 inverse = mul_rn(div_rn(127.0f, amax), sign);
        const bool bad = (tile.bad_passes >> pass & 1) != 0;
        const bool zero = bad || static_cast<i32>(row) >= valid;
        f32 values[8];
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            values[i] = zero ? 0.0f : mul_rn(centred(tile, pass, i, mean), inverse);
        }
        u32 bytes[2];
        pack_s8(bytes, values);
        if (is_query && bad && lane == 0) bytes[0] = kBadRowMarker;
        store(row, 8 * lane, bytes);
    }
}

template <int threads>
__device__ __forceinline__ void clear_groups(u32 groups, u32 count) {
    for (u32 i = thread_index(); i < count; i += threads) {
        store_shared_u32(groups + 4 * i, 0);
    }
    cta_barrier();
}
