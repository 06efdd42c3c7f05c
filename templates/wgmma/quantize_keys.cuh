// One tile of keys to int8, with round to nearest even. It stays in registers between finding the
// largest magnitudes and rounding: one read, one write. Every float operation is an explicit IEEE
// one, so that all devices produce the same integers.
using KeyTile = u32[kKeyPasses][4];

// Rows of a tile that there are, of those whose channels this lane takes.
__device__ __forceinline__ i32 key_rows_of(const Call& call, i32 first) {
    const i32 left = call.len_k - first;
    return left < plan::tile_k ? left : plan::tile_k;
}

// Zeros where there is no row or no channel.
__device__ __forceinline__ void load_key_tile(KeyTile& tile, const Call& call, i32 kv_row,
                                              i32 first) {
    const i32 rows = 8 * key_lane() < plan::head_dim ? key_rows_of(call, first) : 0;
    const u16* source =
        key_base(call, kv_row) + token_offset(call.k, first + key_row()) + 8 * key_lane();
    const u64 step = token_offset(call.k, kKeyRows);
#pragma unroll
    for (int pass = 0; pass < kKeyPasses; ++pass) {
#pragma unroll
        for (int i = 0; i < 4; ++i) tile[pass][i] = 0;
    }
    const auto inside = [rows](int pass) {
        return static_cast<i32>(key_row()) + pass * kKeyRows < rows;
    };
    if (call.k.vector_access != 0) {
#pragma unroll
        for (int pass = 0; pass < kKeyPasses; ++pass) {
            if (inside(pass)) load_global_u32x4(tile[pass], source + pass * step);
        }
    } else {
#pragma unroll
        for (int pass = 0; pass < kKeyPasses; ++pass) {
            if (inside(pass)) load_eight(tile[pass], source + pass * step, false);
        }
    }
}

// Channel i of this lane's eight of a row, less the mean.
__device__ __forceinline__ f32 centred_key(const KeyTile& tile, int pass, int i,
                                           const f32 (&mean)[8]) {
    return add_rn(input_to_f32(nth_of_eight(tile[pass], i)), -mean[i]);
}

__device__ __forceinline__ f32 largest_in_pass(const KeyTile& tile, int pass,
                                               const f32 (&mean)[8]) {
    f32 largest = 0.0f;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
        largest = larger_magnitude(largest, centred_key(tile, pass, i, mean));
    }
    return largest;
}

__device__ __forceinline__ u32 largest_of_lanes(f32 value) {
    u32 largest = f32_to_bits(value);
#pragma unroll
    for (int step = 1; step < plan::quant_lanes; step *= 2) {
        const u32 other = shuffle_xor_u32(largest, step);
        largest = other > largest ? other : largest;
    }
    return largest;
}

// Where a row of the warp holds NaN or Inf: rows that do become zeros and are marked. Returns what
// is the largest magnitude of the others, and sets the bits of their passes.
__device__ __forceinline__ u32 drop_bad_keys(KeyTile& tile, const f32 (&mean)[8], i32 first,
                                             i32 rows, u32 marks, u32& bad_passes) {
    u32 largest = 0;
#pragma unroll
    for (int pass = 0; pass < kKeyPasses; ++pass) {
        const i32 row = static_cast<i32>(key_row()) + pass * kKeyRows;
        const u32 top = largest_of_lanes(largest_in_pass(tile, pass, mean));
        if (row >= rows) continue;
        if (top < kInfinityBits) {
            largest = top > largest ? top : largest;
            continue;
        }
        bad_passes |= 1u << pass;
#pragma unroll
        for (int i = 0; i < 4; ++i) tile[pass][i] = 0;
        // Kept as a distance, so that a maximum finds the first.
        if (key_lane() == 0) {
            atomic_max_shared(marks + 4 * kBadKeyMark, static_cast<u32>(kNoBadKey - (first + row)));
        }
    }
    return largest;
}

// The largest magnitude in this thread's rows, less the mean. All rows of a channel lose the same,
// so it is that of the channel's largest or smallest element.
__device__ __forceinline__ f32 largest_in_tile(const KeyTile& tile, const f32 (&mean)[8],
                                               i32 rows) {
    u32 most[4], least[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) most[i] = least[i] = tile[0][i];
#pragma unroll
    for (int pass = 1; pass < kKeyPasses; ++pass) {
        if (static_cast<i32>(key_row()) + pass * kKeyRows >= rows) continue;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            most[i] = larger_pair(most[i], tile[pass][i]);
            least[i] = smaller_pair(least[i], tile[pass][i]);
        }
    }
    f32 largest = 0.0f;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
        largest = larger_magnitude(largest, add_rn(input_to_f32(nth_of_eight(most, i)), -mean[i]));
        largest = larger_magnitude(largest, add_rn(input_to_f32(nth_of_eight(least, i)), -mean[i]));
    }
    return static_cast<i32>(key_row()) < rows ? largest : 0.0f;
}

// Raises the marks of the tile's groups to their largest magnitudes. Returns the passes whose row
// is bad.
__device__ __forceinline__ u32 measure_keys(KeyTile& tile, const f32 (&mean)[8], i32 first,
                                            i32 rows, u32 marks) {
    u32 largest = largest_of_lanes(largest_in_tile(tile, mean, rows));
    u32 bad_passes = 0;
    if (vote_any(largest >= kInfinityBits)) {
        largest = drop_bad_keys(tile, mean, first, rows, marks, bad_passes);
    }
    if (key_lane() == 0) {
        atomic_max_shared(marks + 4 * (kGroupMark + key_group(key_row())), largest);
    }
    return bad_passes;
}

__device__ __forceinline__ f32 marked_amax(u32 marks, u32 group) {
    return max_f32(load_shared_f32(marks + 4 * (kGroupMark + group)), kAmaxFloor);
}

__device__ __forceinline__ void write_keys(const KeyTile& tile, const f32 (&mean)[8], i32 rows,
                                           u32 marks, u32 bad_passes, i8* destination) {
    if (8 * key_lane() >= plan::head_dim_padded) return;
    const f32 inverse = group_inverse(127.0f, marked_amax(marks, key_group(key_row())));
    // Rows of a thread are whole periods of the swizzle apart.
    i8* const own = destination + key_offset(key_row(), 8 * key_lane());
#pragma unroll
    for (int pass = 0; pass < kKeyPasses; ++pass) {
        const u32 row = key_row() + pass * kKeyRows;
        if (plan::tile_k % kKeyRows != 0 && row >= plan::tile_k) continue;
        const bool zero = (bad_passes >> pass & 1) != 0 || static_cast<i32>(row) >= rows;
        const f32 factor = zero ? 0.0f : inverse;
        f32 values[8];
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            values[i] = mul_rn(centred_key(tile, pass, i, mean), factor);
        }
        u32 bytes[2];
        pack_s8(bytes, values);
        store_global_u32x2(own + pass * kKeyRows * plan::panel_bytes, bytes);
    }
}

// Scales and the first bad key, behind the keys.
__device__ __forceinline__ void write_key_meta(u32 marks, f32* meta) {
#pragma unroll 1
    for (u32 slot = thread_index(); slot < plan::k_meta_words; slot += plan::quant_threads) {
        if (slot < plan::k_scales_per_tile) {
            meta[slot] = div_rn(marked_amax(marks, key_group_of_scale(slot)), 127.0f);
        } else {
            // A distance of 0 from kNoBadKey means that there is none.
            meta[slot] = bits_to_f32(kNoBadKey - load_shared_u32(marks + 4 * kBadKeyMark));
        }
    }
}
