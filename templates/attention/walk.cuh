// The walk of a CTA over the key tiles. Keys run one tile ahead of values: a stage holds the values
// of one tile and the keys of the next, so that one turn reads one stage. Turn `tile` computes P V
// of that tile and the scores of the next one.
struct Walk {
    u32 shared;
    i32 tiles;      // that some row of the CTA attends to
    i32 unmasked;   // of these, the first ones, which all rows attend to all keys of; none where
                    // values are not aligned, so that the common turn need not ask
    bool guarded;   // values that are not finite are taken care of, and it is the second walk
    u32 refill;     // stage that is refilled next
    i32 copied;     // tile of the values copied next
    u32 lane_keys;  // where this lane's fragments lie in a stage
    u32 lane_values;
    KeyCopies keys;
    ValueCopies values;
    QueryScales scales;
};

// The stage after this one, round and round.
__device__ __forceinline__ u32 next_stage(u32 stage, u32 shared) {
    const u32 next = stage + plan::stage_bytes;
    return next == shared + plan::stages * plan::stage_bytes ? shared : next;
}

// Steady: after the first copies, of values that are aligned.
template <bool steady>
__device__ __forceinline__ void start_copies(const Call& call, Walk& walk) {
    start_k_copy(call, walk.keys, walk.refill, walk.copied + 1 < walk.tiles);
    start_v_copy<steady>(call, walk.values, walk.refill,
                         (steady || walk.copied >= 0) && walk.copied < walk.tiles);
    cp_async_commit();
    walk.refill = next_stage(walk.refill, walk.shared);
    ++walk.copied;
}

// Makes a tile's scores, as the products left them, those of the softmax.
template <bool masked>
__device__ __forceinline__ void finish_scores(const Call& call, const TilePosition& position,
                                              Walk& walk, Scores& scores, RowState& rows,
                                              Output& output, i32 tile, u32 stage) {
    const u32 meta = stage + plan::meta_offset;
    dequantize(scores, rows, walk.scales, meta);
    if (masked) mask_scores(scores, call, position, tile * plan::tile_k);
    update_reference(scores, rows, output);
}

// One turn. Most tiles have no key to mask; turns to them are spelled without a mask and without
// questions. Masked turns are few, so one spelling serves those of all kinds: the first, which has
// no scores yet, and the last, which has no next tile, among them.
template <bool masked>
__device__ __forceinline__ void take_turn(const Call& call, const TilePosition& position,
                                          const Query& query, Walk& walk, Scores& scores,
                                          RowState& rows, Output& output, i32 tile, u32 stage) {
    const bool has_scores = !masked || tile >= 0;
    const bool has_next = !masked || tile + 1 < walk.tiles;
    if (has_scores) {
        // This turn's stage has arrived, and every warp is done with the one that is refilled next.
        start_turn(walk.shared, walk.guarded ? walk.tiles + tile : tile);
        start_copies<!masked>(call, walk);
        if (masked && walk.guarded && tile >= walk.unmasked) {
            guard_values(output, call, position, tile * plan::tile_k, stage);
        }
    }
    const u32 lane_keys = plan::computes_anew ? lane_key_offset() : walk.lane_keys;
    const u32 lane_values = plan::computes_anew ? lane_value_offset() : walk.lane_values;
    turn(scores, rows, output, query, stage + lane_keys, stage + lane_values, has_scores, has_next);
    if (has_next) {
        finish_scores<masked>(call, position, walk, scores, rows, output, tile + 1, stage);
    }
}

__device__ __forceinline__ void walk_keys(const Call& call, const TilePosition& position,
                                          const Query& query, Walk& walk, RowState& rows,
                                          Output& output) {
    locate_keys(call, position, walk.keys);
    locate_values(call, position, walk.values);
    walk.refill = walk.shared;
    walk.copied = -1;
#pragma unroll 1
    for (int i = 0; i < kFirstCopies; ++i) start_copies<false>(call, walk);
    u32 stage = walk.shared;
    Scores scores;
    wait_for_first();
    i32 tile = -1;
#pragma unroll 1
    for (;;) {
        take_turn<true>(call, position, query, walk, scores, rows, output, tile, stage);
        stage = next_stage(stage, walk.shared);
        if (++tile == walk.tiles) break;
#pragma unroll 1
        for (; tile + 1 < walk.unmasked; ++tile) {
            take_turn<false>(call, position, query, walk, scores, rows, output, tile, stage);
            stage = next_stage(stage, walk.shared);
        }
    }
    cp_async_wait<0>();
}

__device__ __forceinline__ void clear_rows(RowState& rows) {
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
            rows.offset[m][h] = kNoReference;
            rows.sum[m][h] = 0.0f;
            rows.weight[m][h] = 0.0f;
        }
    }
}
