// Queries, quantized into shared memory as A operands of Q K^T: no quantized Q is kept in memory.
// Each warp quantizes the 16 rows that it computes, its unit, once its group is through with the
// query tile before.

constexpr u32 kUnitRows = plan::warp_q;
constexpr u32 kComputeBarrier = 1;  // of all computing warps; 2 and up are those of the groups

// A block of shared memory holds what one query tile needs besides keys and values; `shared` below
// is where shared memory would begin if its block were the first.

// Scratch: a word per group of rows.
__device__ __forceinline__ u32 query_groups(u32 shared) { return shared + plan::scratch_offset; }

__device__ __forceinline__ u32 query_address(u32 shared, u32 row, u32 byte) {
    return shared + plan::query_offset + row / kGroupRows * (kGroupRows * plan::head_dim_padded) +
           int8_offset<kGroupRows>(row % kGroupRows, byte);
}

// 127 over the amax of each group of a unit's rows, with the sign of logit_scale.
constexpr u32 kUnitGroups = divide_up(static_cast<i32>(kQueryGroups), plan::warps);
__device__ __forceinline__ u32 query_inverses(u32 shared, u32 unit) {
    return query_groups(shared) + 4 * kQueryGroups + 4 * kUnitGroups * unit;
}

// Rows are read `passes` times kPassRows at a time, eight channels a lane.
constexpr u32 kPassRows = kWarpLanes / plan::quant_lanes;
constexpr int kUnitPasses = kUnitRows / kPassRows;

// Where a warp is in its unit.
struct UnitPlace {
    u32 unit;
    u32 first_row;  // of the first pass, inside the unit
    __device__ __forceinline__ u32 row(int pass) const {
        return first_row + pass * kPassRows + lane_index() / plan::quant_lanes;
    }
    __device__ __forceinline__ u32 tile_row(int pass) const { return unit * kUnitRows + row(pass); }
    __device__ __forceinline__ static u32 channel() {
        return 8 * (lane_index() % plan::quant_lanes);
    }
};

// Where the rows of a query tile are read: this lane's channels of the first.
struct QuerySource {
    const u16* first;
    i32 valid;  // rows
};
__device__ __forceinline__ QuerySource query_source(const Call& call,
                                                    const TilePosition& position) {
    const Heads heads = heads_of(call, position.q_row);
    return {
        head_base(call.q, heads.batch, heads.head_q) + token_offset(call.q, position.first_query) +
            UnitPlace::channel(),
        UnitPlace::channel() < plan::head_dim ? end_of(call, position) - position.first_query : 0};
}

__device__ __forceinline__ void load_row(u32 (&pairs)[4], const Call& call, QuerySource source,
                                         u32 tile_row) {
#pragma unroll
    for (int i = 0; i < 4; ++i) pairs[i] = 0;
    if (static_cast<i32>(tile_row) < source.valid) {
        load_eight(pairs, source.first + token_offset(call.q, tile_row), call.q.vector_access != 0);
    }
}

template <int passes>
__device__ __forceinline__ void load_rows(u32 (&pairs)[passes][4], const Call& call,
                                          QuerySource source, UnitPlace place) {
#pragma unroll
    for (int pass = 0; pass < passes; ++pass) {
        load_row(pairs[pass], call, source, place.tile_row(pass));
    }
}

// Magnitudes as bits of the input type, which order as unsigned integers, Inf and NaN above all
// others: the largest of this lane's, in both halves.
__device__ __forceinline__ u32 lane_magnitude(const u32 (&pairs)[4]) {
    constexpr u32 kMagnitudes = 0x7FFF7FFFu;
    u32 largest = pairs[0] & kMagnitudes;
#pragma unroll
    for (int i = 1; i < 4; ++i) largest = max_u16x2(largest, pairs[i] & kMagnitudes);
    return max_u16x2(largest, permute_bytes(largest, 0, 0x1032));
}

// Both halves over the lanes of a row, which agree then.
__device__ __forceinline__ u32 row_magnitude(u32 largest) {
#pragma unroll
    for (int step = 1; step < plan::quant_lanes; step *= 2) {
        largest = max_u16x2(largest, shuffle_xor_u32(largest, step));
    }
    return largest;
}

// Raises the words of the unit's groups. Rows with NaN or Inf take no part; returns whether there
// are any.
template <int passes>
__device__ __forceinline__ bool measure_unit(const Call& call, QuerySource source, u32 unit,
                                             u32 shared) {
    bool bad = false;
#pragma unroll 1
    for (u32 row = 0; row < kUnitRows; row += passes * kPassRows) {
        const UnitPlace place{unit, row};
        u32 pairs[passes][4];
        load_rows(pairs, call, source, place);
#pragma unroll
        for (int pass = 0; pass < passes; ++pass) {
            const u16 largest = static_cast<u16>(row_magnitude(lane_magnitude(pairs[pass])));
            const bool finite = input_is_finite(largest);
            bad |= !finite;
            if (finite && place.channel() == 0) {
                atomic_max_shared(query_groups(shared) + 4 * query_group(place.tile_row(pass)),
                                  f32_to_bits(input_to_f32(largest)));
            }
        }
    }
    return vote_any(bad);
}

__device__ __forceinline__ void write_row(u32 shared, u32 tile_row, const u32 (&pairs)[4],
                                          f32 inverse, bool bad) {
    const u32 channel = UnitPlace::channel();
    f32 values[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) {
        values[i] = bad ? 0.0f : mul_rn(input_to_f32(nth_of_eight(pairs, i)), inverse);
    }
    u32 bytes[2];
    pack_s8(bytes, values);
    if (bad && channel == 0) bytes[0] = kBadRowMarker;
    if (channel < plan::head_dim_padded) {
        store_shared_u32x2(query_address(shared, tile_row, channel), bytes);
    }
}

template <int passes>
__device__ __forceinline__ void write_unit(const Call& call, QuerySource source, u32 unit,
                                           u32 shared, bool any_bad) {
#pragma unroll 1
    for (u32 row = 0; row < kUnitRows; row += passes * kPassRows) {
        const UnitPlace place{unit, row};
        u32 pairs[passes][4];
        load_rows(pairs, call, source, place);
#pragma unroll
        for (int pass = 0; pass < passes; ++pass) {
            const u32 group = query_group(place.tile_row(pass)) - query_group(unit * kUnitRows);
            const f32 inverse = load_shared_f32(query_inverses(shared, unit) + 4 * group);
            bool bad = false;
            if (any_bad) {
                const u32 largest = row_magnitude(lane_magnitude(pairs[pass]));
                bad = !input_is_finite(static_cast<u16>(largest));
            }
            write_row(shared, place.tile_row(pass), pairs[pass], inverse, bad);
        }
    }
}

// Groups of two rows that lie half a unit apart: rows are read once, a few pairs at a time, and
// stay in registers.
constexpr bool kRowPairs = kUnitGroups == kUnitRows / 2;
constexpr int kApart = kUnitPasses / 2;
constexpr int kPairs = kApart < 4 ? kApart : 4;
static_assert(!kRowPairs || kApart == kPairs || kApart == 2 * kPairs, "one helping or two");
template <int count>
struct RowPairs {
    u32 pairs[count][2][4];
};
using QueryRows = RowPairs<kPairs>;

// Whether all rows of a unit can be read 16 bytes a lane; the same for a whole warp.
__device__ __forceinline__ bool reads_whole_rows(const Call& call, const TilePosition& position,
                                                 u32 unit) {
    const i32 end = position.first_query + static_cast<i32>((unit + 1) * kUnitRows);
    return plan::head_dim == 8 * plan::quant_lanes && end <= end_of(call, position) &&
           call.q.vector_access != 0;
}

// For units that can be read so.
template <int count>
__device__ __forceinline__ void load_whole_rows(const Call& call, QuerySource source,
                                                UnitPlace place, RowPairs<count>& rows) {
    const u16* row = source.first + token_offset(call.q, place.tile_row(0));
    const i64 step = token_offset(call.q, kPassRows);
#pragma unroll
    for (int i = 0; i < count; ++i) {
        load_once_u32x4(rows.pairs[i][0], row + i * step);
        load_once_u32x4(rows.pairs[i][1], row + (i + kApart) * step);
    }
}

__device__ __forceinline__ void load_row_pairs(const Call& call, const TilePosition& position,
                                               QuerySource source, UnitPlace place,
                                               QueryRows& rows) {
    if (reads_whole_rows(call, position, place.unit)) {
        load_whole_rows(call, source, place, rows);
        return;
    }
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
        load_row(rows.pairs[i][0], call, source, place.tile_row(i));
        load_row(rows.pairs[i][1], call, source, place.tile_row(i + kApart));
    }
    // Rows past the end are not read: what only some lanes do must not stand before wgmma.
    warp_barrier();
}

// Rows that are read in a second helping, to L2: 128 bytes a lane.
__device__ __forceinline__ void bring_later_rows(const Call& call, QuerySource source, u32 unit) {
    static_assert(kApart == kPairs || (kApart == 8 && kPassRows == 1), "8 rows of 4 lines");
    const u32 row = lane_index() / 4, line = lane_index() % 4;
    const u16* first = source.first - UnitPlace::channel();
    prefetch_global(
        first +
        token_offset(call.q, unit * kUnitRows + row / kPairs * kApart + kPairs + row % kPairs) +
        64 * line);
}

// The first rows that quantize_queries will want.
__device__ __forceinline__ void fetch_queries(const Call& call, const TilePosition& position,
                                              QueryRows& rows) {
    if constexpr (kRowPairs) {
        const QuerySource source = query_source(call, position);
        load_row_pairs(call, position, source, UnitPlace{warp_index(), 0}, rows);
        if (kApart > kPairs && reads_whole_rows(call, position, warp_index())) {
            bring_later_rows(call, source, warp_index());
        }
    }
}

// Factors of groups whose amax all lanes of a row know, and their words. Each lane divides for one
// group only; a lane's exchange at distance x brings the factor of group own ^ x, which selections
// then put into its place.
template <int count>
__device__ __forceinline__ void find_factors(f32 (&factors)[count],
                                             const f32 (&amax)[count + count % 2], u32 groups) {
    static_assert(count <= plan::quant_lanes && (count & (count - 1)) == 0, "lanes of one row");
    // At head_dim 256 with FP8 the compiler finds no registers for it.
    if constexpr (plan::head_dim > 128) {
#pragma unroll
        for (int i = 0; i < count; ++i) {
            factors[i] = packed_factor(amax[i]);
            store_shared_f32_if(UnitPlace::channel() == 0, groups + 4 * i * kPassRows,
                                packed_amax(amax[i], factors[i]));
        }
        return;
    }
    const u32 own = lane_index() % count;
    f32 own_amax = amax[0];
#pragma unroll
    for (int i = 1; i < count; ++i) own_amax = own == static_cast<u32>(i) ? amax[i] : own_amax;
    factors[0] = packed_factor(own_amax);
    store_shared_f32_if(lane_index() % plan::quant_lanes < count, groups + 4 * own * kPassRows,
                        packed_amax(own_amax, factors[0]));
#pragma unroll
    for (int x = 1; x < count; ++x) factors[x] = shuffle_xor_f32(factors[0], x);
#pragma unroll
    for (int bit = 1; bit < count; bit *= 2) {
        const bool swapped = (own & static_cast<u32>(bit)) != 0;
#pragma unroll
        for (int i = 0; i < count; ++i) {
            if ((i & bit) != 0) continue;
            const f32 low = factors[i], high = factors[i + bit];
            factors[i] = swapped ? high : low;
            factors[i + bit] = swapped ? low : high;
        }
    }
}

// Quantizes pairs of rows. Returns false, and leaves them, where a row holds NaN or Inf or is too
// small.
template <int count>
__device__ __forceinline__ bool quantize_pairs(const Call& call, UnitPlace place, u32 shared,
                                               const RowPairs<count>& rows) {
    constexpr u32 kLowHalves = 0x5410;
    u32 largest[count + count % 2] = {};
#pragma unroll
    for (int i = 0; i < count; ++i) {
        largest[i] = max_u16x2(lane_magnitude(rows.pairs[i][0]), lane_magnitude(rows.pairs[i][1]));
    }
    f32 amax[count + count % 2];
    bool usable = true;
#pragma unroll
    for (int i = 0; i < count; i += 2) {  // two of them share the exchanges
        const u32 both = row_magnitude(permute_bytes(largest[i], largest[i + 1], kLowHalves));
#pragma unroll
        for (int k = 0; k < 2; ++k) {
            const u16 bits = static_cast<u16>(both >> 16 * k);
            amax[i + k] = input_to_f32(bits);
            usable &= input_is_finite(bits) && is_packable(amax[i + k]);
        }
    }
    if (vote_any(!usable)) return false;
    const u32 groups = query_groups(shared) + 4 * query_group(place.tile_row(0));
    const u32 first = query_address(shared, place.tile_row(0), UnitPlace::channel());
    const bool inside = UnitPlace::channel() < plan::head_dim_padded;
    f32 factors[count];
    find_factors(factors, amax, groups);
#pragma unroll
    for (int i = 0; i < count; ++i) {
        const f32 signed_factor = call.logit_scale < 0.0f ? -factors[i] : factors[i];
        // Rows of passes differ in bits that the lane's own row leaves 0.
        const u32 own = first ^ 16 * panel_flip<plan::panel_bytes>(i * kPassRows);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            u32 bytes[2];
            pack_products(bytes, rows.pairs[i][half], signed_factor);
            const u32 further = i * kPassRows + half * kUnitRows / 2;
            if (inside) store_shared_u32x2(own + further * plan::panel_bytes, bytes);
        }
    }
    return true;
}

// The whole of it at once, the next rows on their way meanwhile. Gives up, and returns false, where
// it must.
__device__ __forceinline__ bool quantize_row_pairs(const Call& call, const TilePosition& position,
                                                   QuerySource source, u32 unit, u32 shared,
                                                   QueryRows& fetched) {
    if constexpr (kApart == kPairs) {
        return quantize_pairs(call, UnitPlace{unit, 0}, shared, fetched);
    } else {
        const UnitPlace later{unit, kPairs * kPassRows};
        QueryRows rest;
        load_row_pairs(call, position, source, later, rest);
        return quantize_pairs(call, UnitPlace{unit, 0}, shared, fetched) &&
               quantize_pairs(call, later, shared, rest);
    }
}

// The same in two passes over the rows, for groups of any size.
__device__ __forceinline__ void quantize_any_groups(const Call& call, QuerySource source, u32 unit,
                                                    u32 shared) {
    constexpr int kPasses = 2;
    constexpr bool kShared = kQueryGroups < plan::warps;  // units share a group
    const auto wait_for_others = [] {
        if constexpr (kShared) {
            named_barrier_sync(kComputeBarrier, plan::warps * kWarpLanes);
        } else {
            warp_barrier();
        }
    };
    if constexpr (kShared) wait_for_others();  // which have read the words of the tile before
    if (lane_index() < kUnitGroups && (!kShared || unit == 0)) {
        store_shared_u32(query_groups(shared) + 4 * (unit * kUnitGroups + lane_index()), 0);
    }
    wait_for_others();
    const bool any_bad = measure_unit<kPasses>(call, source, unit, shared);
    wait_for_others();
    if (lane_index() < kUnitGroups) {
        const u32 group = query_group(unit * kUnitRows) + lane_index();
        const f32 inverse = div_rn(127.0f, group_amax(query_groups(shared), group));
        store_shared_f32(query_inverses(shared, unit) + 4 * lane_index(),
                         call.logit_scale < 0.0f ? -inverse : inverse);
    }
    warp_barrier();
    write_unit<kPasses>(call, source, unit, shared, any_bad);
}

// The factor of this lane's rows: their scale with logit_scale * log2(e) in it, whose sign went
// into the integers.
__device__ __forceinline__ f32 query_factor(const Call& call, u32 shared) {
    constexpr f32 kLog2E = 1.44269504f;
    const f32 sign = call.logit_scale < 0.0f ? -1.0f : 1.0f;
    const f32 fold = mul_rn(mul_rn(call.logit_scale, sign), kLog2E);
    return mul_rn(div_rn(group_amax(query_groups(shared), query_group(lane_row())), 127.0f), fold);
}

// The group's queries of a tile, of which `fetched` has the first. Its warps, which have left those
// of the tile before, meet afterwards.
__device__ __forceinline__ void quantize_queries(const Call& call, const TilePosition& position,
                                                 u32 shared, QueryRows& fetched) {
    const u32 group_barrier = kComputeBarrier + 1 + group_index();
    const QuerySource source = query_source(call, position);
    warp_barrier();  // all lanes have left the queries of the tile before
    bool done = false;
    if constexpr (kRowPairs) {
        done = quantize_row_pairs(call, position, source, warp_index(), shared, fetched);
    }
    if (!done) {
        warp_barrier();  // words written before it gave up
        quantize_any_groups(call, source, warp_index(), shared);
    }
    fence_async_shared();
    warp_barrier();
    named_barrier_sync(group_barrier, kGroupThreads);
}

// Whether a query row held NaN or Inf: the quantizer marks its first byte.
__device__ __forceinline__ bool is_bad_query(u32 shared, u32 row) {
    return (load_shared_u32(query_address(shared, row, 0)) & 0xFFu) == kBadRowMarker;
}
