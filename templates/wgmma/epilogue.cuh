// Normalises and writes a warp's rows.

// Among the four lanes of a row: lane q gets word q of each of them.
__device__ __forceinline__ void transpose_words(u32 (&words)[4]) {
    const bool odd = lane_index() % 2 != 0;
    const bool upper = lane_index() / 2 % 2 != 0;
#pragma unroll
    for (int i = 0; i < 4; i += 2) {
        const u32 other = shuffle_xor_u32(odd ? words[i] : words[i + 1], 1);
        words[i] = odd ? other : words[i];
        words[i + 1] = odd ? words[i + 1] : other;
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        const u32 other = shuffle_xor_u32(upper ? words[i] : words[i + 2], 2);
        words[i] = upper ? other : words[i];
        words[i + 2] = upper ? words[i + 2] : other;
    }
}

// Pairs of channels, one channel after the other.
template <int count>
__device__ __forceinline__ void store_words(u16* destination, const u32* words) {
#pragma unroll
    for (int i = 0; i < count; ++i) {
        destination[2 * i] = static_cast<u16>(words[i]);
        destination[2 * i + 1] = static_cast<u16>(words[i] >> 16);
    }
}

// Rows without keys are 0, those with a bad query or key NaN: rare, so not asked of every number.
__device__ __forceinline__ void replace_row(Output& output, int h, bool wanted, f32 value) {
#pragma unroll
    for (int i = 0; i < 4 * (plan::head_dim_v / 8); ++i) {
        if (i / 2 % 2 == h && wanted) output[i] = value;
    }
}

// Returns whether this lane wrote what must be repaired.
__device__ __forceinline__ bool write_output(const Call& call, const TilePosition& position,
                                             const Walk& walk, const RowState& rows, Output& output,
                                             i32 first_bad_key) {
    constexpr int kColumns = plan::head_dim_v / 8;  // of eight channels: a pair a lane
    constexpr int kQuads = kColumns / 4;
    const Heads heads = heads_of(call, position.q_row);
    u16* head = static_cast<u16*>(call.o.data) + heads.batch * call.o.stride_batch +
                heads.head_q * call.o.stride_head;
    const u32 q = lane_index() % 4;
    const i32 end_query = end_of(call, position);
    const bool vector = call.o.vector_access != 0;
    bool repair = false;
#pragma unroll
    for (int h = 0; h < 2; ++h) {
        const u32 row_in_tile = lane_row() + 8 * h;
        const i32 query = query_of(position, h);
        const bool inside = query < end_query;
        const f32 sum = row_sum(output, rows, h);
        const f32 shift = query_shift(call, position, query);
        const i32 limit = row_limit(call, query);
        const bool bad =
            limit > 0 && (first_bad_key < limit || is_bad_query(walk.block, row_in_tile));
        const bool replaced = bad || limit == 0;
        const f32 inverse = replaced ? 1.0f : normalising_factor(sum);
        if (vote_any(replaced))
            replace_row(output, h, replaced, bad ? bits_to_f32(kNanBits) : 0.0f);
        if (inside) {
            keep_row(walk.block, row_in_tile, walk.query_factor,
                     replaced ? kNoReference : rows.offset[h]);
        }
        const auto pair_of = [&](int column) {
            f32 pair[2];
#pragma unroll
            for (int e = 0; e < 2; ++e) {
                pair[e] = output[4 * column + 2 * h + e] * inverse;
                repair |= inside && !bad && needs_repair(pair[e]);
            }
            return output_pair(pair[0], pair[1]);
        };
        u16* row = head + token_offset(call.o, inside ? query : 0);
        u32 words[kQuads + 1][4];  // four columns, which four lanes share out among them; the rest
#pragma unroll
        for (int column = 0; column < kColumns; ++column) {
            words[column / 4][column % 4] = pair_of(column);
        }
#pragma unroll
        for (int i = 0; i < kQuads; ++i) transpose_words(words[i]);
        if (inside && vector) {
#pragma unroll
            for (int i = 0; i < kQuads; ++i) store_global_u32x4(row + 32 * i + 8 * q, words[i]);
#pragma unroll
            for (int i = 0; i < kColumns % 4; ++i) {
                store_global_u32(row + 32 * kQuads + 8 * i + 2 * q, words[kQuads][i]);
            }
        } else if (inside) {
#pragma unroll
            for (int i = 0; i < kQuads; ++i) store_words<4>(row + 32 * i + 8 * q, words[i]);
#pragma unroll
            for (int i = 0; i < kColumns % 4; ++i) {
                store_words<1>(row + 32 * kQuads + 8 * i + 2 * q, words[kQuads] + i);
            }
        }
        if (inside && q == 0) {
            store_lse(call, position, query, rows.offset[h], sum, limit, bad, shift);
        }
    }
    return repair;
}
