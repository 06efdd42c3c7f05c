// Attention: one CTA computes tile_q queries of one head; warps own warp_q of them each and walk
// the keys together, tile by tile, with copies of the next tiles in flight.

__device__ __forceinline__ TilePosition locate_tile(const Call& call) {
    TilePosition position;
    const u32 index = cta_index();
    position.q_row = static_cast<i32>(index / call.q_tiles);
    position.q_tile = tile_in_order(static_cast<i32>(index % call.q_tiles), call.q_tiles);
    position.batch = position.q_row / call.heads_q;
    position.head_q = position.q_row % call.heads_q;
    position.head_kv = position.head_q / call.group_size;
    position.kv_row = position.batch * call.heads_kv + position.head_kv;
    position.first_query = position.q_tile * plan::tile_q;
    return position;
}

__device__ __forceinline__ void start_copies(const Call& call, const TilePosition& position,
                                             i32 tile, i32 tiles, u32 stage) {
    if (tile < tiles) {
        start_k_copy(call, position, tile, stage);
        start_v_copy(call, position, tile, stage);
    }
    cp_async_commit();
}

// The stage after this one, round and round.
__device__ __forceinline__ u32 next_stage(u32 stage, u32 shared) {
    const u32 next = stage + plan::stage_bytes;
    return next == shared + plan::stages * plan::stage_bytes ? shared : next;
}

extern "C" __global__ void __launch_bounds__(plan::threads, plan::ctas_per_sm)
    attention(const __grid_constant__ Call call) {
    const u32 shared = shared_base();
    const TilePosition position = locate_tile(call);
    const i32 last_query = position.first_query + plan::tile_q < call.len_q
                               ? position.first_query + plan::tile_q - 1
                               : call.len_q - 1;
    const i32 tiles = divide_up(row_limit(call, last_query), plan::tile_k);
    const i32 unmasked_tiles = row_limit(call, position.first_query) / plan::tile_k;

    Query query;
    load_query(call, position, query, shared + plan::query_offset);
    QueryScales scales;
    load_q_scales(call, position, scales);

    i32 limits[plan::m_tiles][2];
#pragma unroll
    for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
            const i32 row = thread_index() / kWarpLanes * plan::warp_q + 16 * m + 8 * h +
                            thread_index() % kWarpLanes / 4;
            limits[m][h] = row_limit(call, position.first_query + row);
        }
    }

    Output output;
    RowState rows;
    i32 first_bad_key = kNoBadKey;
    for (bool guarded = false;; guarded = true) {
        clear_output(output);
#pragma unroll
        for (int m = 0; m < plan::m_tiles; ++m) {
#pragma unroll
            for (int h = 0; h < 2; ++h) {
                rows.reference[m][h] = -bits_to_f32(kInfinityBits);
                rows.sum[m][h] = 0.0f;
                rows.weight[m][h] = 0.0f;
            }
        }
        u32 refill = shared;
        for (i32 tile = 0; tile < plan::stages - 1; ++tile) {
            start_copies(call, position, tile, tiles, refill);
            refill = next_stage(refill, shared);
        }
        u32 stage = shared;
        for (i32 tile = 0; tile < tiles; ++tile) {
            // This tile has arrived, and every warp is done with the stage that is refilled next.
            cp_async_wait<plan::stages - 2>();
            cta_barrier();
            start_copies(call, position, tile + plan::stages - 1, tiles, refill);
            refill = next_stage(refill, shared);

            IntegerScores integers;
            multiply_qk(integers, query, stage);
            Scores scores;
            RowValues factors;
            const u32 meta = stage + plan::meta_offset;
            dequantize(scores, integers, factors, scales, meta);
            const i32 tile_bad =
                static_cast<i32>(load_shared_u32(meta + 4 * plan::k_scales_per_tile));
            first_bad_key = tile_bad < first_bad_key ? tile_bad : first_bad_key;
            const bool masked = tile >= unmasked_tiles;
            if (masked) mask_scores(scores, tile * plan::tile_k, limits);
            softmax(scores, factors, rows, output);
            if (guarded && masked) guard_values(output, limits, tile * plan::tile_k, stage);
            multiply_pv(output, rows, scores, stage);
            stage = next_stage(stage, shared);
        }
        cp_async_wait<0>();
        if (guarded || !output_needs_guard(output, shared)) break;
    }
    write_output(call, position, output, rows, limits, bad_query_rows(call, position),
                 first_bad_key);
}
