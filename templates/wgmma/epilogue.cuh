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

constexpr int kOutputColumns = plan::head_dim_v / 8;  // of eight channels: a pair a lane
struct OutputRows {
    u16* head;
    i64 stride;
    i32 first_query, end_query;  // of the tile
    bool vector;                 // rows begin on 16 bytes
    __device__ __forceinline__ u16* row(i32 query) const { return head + query * stride; }
};

// Each lane its words of its two rows; where rows allow it, 16 bytes at a time.
__device__ __forceinline__ void write_by_lanes(const OutputRows& to,
                                               u32 (&rows_words)[2][kOutputColumns]) {
    constexpr int kQuads = kOutputColumns / 4;
    const u32 q = lane_index() % 4;
#pragma unroll
    for (int h = 0; h < 2; ++h) {
        const i32 query = to.first_query + static_cast<i32>(lane_row()) + 8 * h;
        const bool inside = query < to.end_query;
        u16* row = to.row(inside ? query : 0);
        u32 words[kQuads + 1][4];  // four columns, which four lanes share out; the rest
#pragma unroll
        for (int column = 0; column < kOutputColumns; ++column) {
            words[column / 4][column % 4] = rows_words[h][column];
        }
#pragma unroll
        for (int i = 0; i < kQuads; ++i) transpose_words(words[i]);
        if (inside && to.vector) {
#pragma unroll
            for (int i = 0; i < kQuads; ++i) store_global_u32x4(row + 32 * i + 8 * q, words[i]);
#pragma unroll
            for (int i = 0; i < kOutputColumns % 4; ++i) {
                store_global_u32(row + 32 * kQuads + 8 * i + 2 * q, words[kQuads][i]);
            }
        } else if (inside) {
#pragma unroll
            for (int i = 0; i < kQuads; ++i) store_words<4>(row + 32 * i + 8 * q, words[i]);
#pragma unroll
            for (int i = 0; i < kOutputColumns % 4; ++i) {
                store_words<1>(row + 32 * kQuads + 8 * i + 2 * q, words[kQuads] + i);
            }
        }
    }
}

// By way of shared memory, in the place of the warp's queries, which nobody reads any more: as many
// channels at a time as a row of them has room for. A lane then writes 16 bytes, eight of them 128
// in a row.
constexpr int kTurnColumns = plan::head_dim_padded / 16;
constexpr bool kByShared = plan::head_dim_padded % 64 == 0 && kOutputColumns % kTurnColumns == 0 &&
                           plan::panel_bytes >= 64;

// The 16-byte chunks of a warp's rows that a lane copies: the same one of every kRows-th row, so
// that from one to the next both addresses advance by constants. Rows of twelve chunks go two at a
// time, by 24 lanes.
struct LaneChunks {
    static constexpr int kChunks = kTurnColumns;  // of a row
    static constexpr int kRows = static_cast<int>(kWarpLanes) / kChunks;
    static constexpr int kRounds = kUnitRows / kRows;
    static_assert(!kByShared || (kUnitRows % kRows == 0 && 16 % kRows == 0), "flips are apart");
    u32 from;  // within the block
    u16* to;
    i64 step;
    i32 rows;  // from this lane's first one on to the last one of the tile

    __device__ __forceinline__ LaneChunks(const OutputRows& output, u32 first_row) {
        // Lanes past these read what the first one does, and write nothing.
        constexpr u32 kLanes = kRows * kChunks;
        const u32 lane = lane_index() < kLanes ? lane_index() : 0;
        const u32 row = first_row + lane / kChunks, chunk = lane % kChunks;
        from = query_address(0, row, 16 * chunk);
        const i32 query = output.first_query + static_cast<i32>(row);
        to = output.row(query) + 8 * chunk;
        step = kRows * output.stride;
        rows = lane_index() < kLanes ? output.end_query - query : 0;
    }
    // channel: of the output's, at which what is in shared memory begins.
    __device__ __forceinline__ void copy(u32 block, int channel) const {
        u16* next = to + channel;
#pragma unroll
        for (int i = 0; i < kRounds; ++i) {
            // More stores than four at a time are slower.
            if (i == 0 || (kRounds > 4 && i % 2 == 0)) warp_barrier();
            const u32 further = i * kRows;
            u32 words[4];
            load_shared_u32x4(words, block + (from ^ 16 * panel_flip<plan::panel_bytes>(further)) +
                                         further * plan::panel_bytes);
            if (static_cast<i32>(further) < rows) store_once_u32x4(next, words);
            next += step;
        }
    }
};

__device__ __forceinline__ void write_by_shared(const OutputRows& to, u32 block,
                                                const u32 (&rows_words)[2][kOutputColumns]) {
    constexpr int kPanelColumns = plan::panel_bytes / 16;
    const u32 first_row = warp_index() * kUnitRows;
    // Lane l gives the address of row l % 16 of the first or second of two columns.
    const u32 own = query_address(block, first_row + lane_index() % 16, 16 * (lane_index() / 16));
    const LaneChunks chunks(to, first_row);
    warp_barrier();  // all lanes have asked for bad queries
#pragma unroll
    for (int turn = 0; turn < kOutputColumns / kTurnColumns; ++turn) {
#pragma unroll
        for (int column = 0; column < kTurnColumns; column += 2) {
            const int i = turn * kTurnColumns + column;
            const u32 words[4] = {rows_words[0][i], rows_words[1][i], rows_words[0][i + 1],
                                  rows_words[1][i + 1]};
            stmatrix_x4((own ^ 16 * (column % kPanelColumns)) +
                            column / kPanelColumns * kGroupRows * plan::panel_bytes,
                        words);
        }
        chunks.copy(block, 8 * turn * kTurnColumns);
        warp_barrier();
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
    constexpr int kColumns = kOutputColumns;
    const Heads heads = heads_of(call, position.q_row);
    u16* head = static_cast<u16*>(call.o.data) + heads.batch * call.o.stride_batch +
                heads.head_q * call.o.stride_head;
    const u32 q = lane_index() % 4;
    const i32 end_query = end_of(call, position);
    f32 inverse[2];
    bool repairable[2];
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
        inverse[h] = replaced ? 1.0f : normalising_factor(sum);
        if (vote_any(replaced))
            replace_row(output, h, replaced, bad ? bits_to_f32(kNanBits) : 0.0f);
        if (inside) {
            keep_row(walk.block, row_in_tile, walk.query_factor,
                     replaced ? kNoReference : rows.offset[h]);
        }
        if (inside && q == 0) {
            store_lse(call, position, query, rows.offset[h], sum, limit, bad, shift);
        }
        repairable[h] = inside && !bad;
    }
    // Both rows of a column together: their words stand side by side for stmatrix, and one row's
    // alone would leave gaps among the registers that take four at a time.
    u32 spoiled[2] = {0, 0};
    u32 rows_words[2][kColumns];
#pragma unroll
    for (int column = 0; column < kColumns; ++column) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
            f32 pair[2];
#pragma unroll
            for (int e = 0; e < 2; ++e) {
                pair[e] = output[4 * column + 2 * h + e] * inverse[h];
            }
            rows_words[h][column] = output_pair(pair[0], pair[1]);
            spoiled[h] = add_spoiled(spoiled[h], pair, rows_words[h][column]);
        }
    }
    const bool repair =
        (repairable[0] && needs_repair(spoiled[0])) || (repairable[1] && needs_repair(spoiled[1]));
    const OutputRows to{head, call.o.stride_token, position.first_query, end_query,
                        call.o.vector_access != 0};
    if (kByShared && to.vector && !vote_any(repair)) {
        write_by_shared(to, walk.block, rows_words);
    } else {
        write_by_lanes(to, rows_words);
    }
    return repair;
}
