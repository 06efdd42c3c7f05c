// The argument block every kernel of a call takes by value. This file is read twice: pasted into
// the emitted source, and included by the launcher, so both sides agree by construction.

// A caller's [batch, heads, len, dim] tensor. Strides count elements; the last dimension is
// contiguous. vector_access is 1 when every row starts on a 16-byte boundary, else rows are read
// and written element by element.
struct TensorView {
    void* data;
    i64 stride_batch;
    i64 stride_head;
    i64 stride_token;
    i64 vector_access;
};

// A tensor and a box in it, as asynchronous copies take them; the launcher encodes it.
struct alignas(64) TensorMap {
    u64 words[16];
};

// A divisor of numbers below 2^31, as a multiplication: the quotient is
// (n + high word of n * multiplier) >> shift (Granlund and Montgomery, "Division by Invariant
// Integers using Multiplication", 1994).
struct Divisor {
    u32 multiplier;
    u32 shift;
};

// Pointers below `lse` point into the caller's workspace; unused ones are null.
// "kv row" is batch * heads_kv + head_kv, "q row" is batch * heads_q + head_q.
struct Call {
    TensorMap v_map;   // zeros where no kernel uses it
    TensorView q;      // [batch, heads_q, len_q, head_dim]
    TensorView k;      // [batch, heads_kv, len_k, head_dim]
    TensorView v;      // [batch, heads_kv, len_k, head_dim_v]
    TensorView o;      // [batch, heads_q, len_q, head_dim_v]
    f32* lse;          // [batch, heads_q, len_q], natural log; null unless plan::lse
    i8* q_int8;        // [q row, q_tiles * tile_q, head_dim_padded]
    f32* q_scale;      // [q row, q_tiles, q_scales_per_tile], logit_scale * log2(e) folded in
    f32* q_shift;      // [q row, q_tiles * tile_q]: logit_scale * dot(q, k_mean)
    f32* q_amax;       // [q row, q_tiles]: largest |q| of each tile (tensor granularity)
    i8* k_int8;        // mma.sync: [kv row, k_tiles * tile_k, head_dim_padded]
                       // wgmma: [kv row, k_tiles], tiles as in shared memory, with their k_meta
    f32* k_meta;       // [kv row, k_tiles, k_meta_words]: scales, then the first bad key
    f32* k_mean;       // [kv row, head_dim_padded]: what was subtracted (wgmma)
    f32* k_sum;        // [kv row, chunks, head_dim_padded]: sums of K over a chunk of tokens
    f32* k_amax;       // [kv row, k_tiles]: largest |k - k_mean| (tensor granularity)
    u8* v_work;        // fp16: [kv row, k_tiles * tile_k, head_dim_v_padded]
                       // int8: [kv row, head_dim_v_padded, k_tiles * tile_k], tokens permuted
                       // wgmma: [kv row, k_tiles], tiles as in shared memory
                       // wgmma, fp8: the same, [channel, token], tokens permuted as for int8
    f32* v_scale;      // [kv row, head_dim_v_padded]
    f32* v_mean;       // [kv row, head_dim_v_padded]: what was subtracted (fp8)
    i32* v_residue;    // [kv row, head_dim_v]: what rounding left of all keys' V, in 1/256 of the
                       // scale (fp8)
    i32* v_first_bad;  // [kv row, head_dim_v_padded]: first key whose V is NaN or Inf (int8, fp8)
    u32* tiles_drawn;  // [1]: query tiles that CTAs have drawn (causal wgmma)
    u32* v_notes;      // [kv row, 2]: tiles quantized so far, what could not be done (fp8)
    f32* v_amax;       // [kv row, chunks, head_dim_v_padded]
    i32* v_chunk_bad;  // [kv row, chunks, head_dim_v_padded]
    i32 batch;
    i32 heads_q;
    i32 heads_kv;
    i32 group_size;  // heads_q / heads_kv
    i32 len_q;
    i32 len_k;
    i32 q_tiles;       // ceil(len_q / tile_q); wgmma without a mask: of either height
    i32 k_tiles;       // ceil(len_k / tile_k)
    i32 chunks;        // token chunks of the statistics kernel
    i32 chunk_tokens;  // tokens in each of them but the last
    f32 logit_scale;
    i32 v_packed;    // wgmma: V is read from v_work, not through v_map
    i32 head_chunk;  // wgmma: query heads at work at a time
    i32 padding;
    Divisor by_chunk;  // wgmma: head_chunk * q_tiles
    Divisor by_head_chunk;
    Divisor by_heads_q;
    Divisor by_group_size;
    // wgmma: a head has tall_tiles of tile_q queries, then low ones; with a mask low ones first.
    i32 tall_tiles;
    i32 low_rows;
    Divisor by_tall_tiles;
    Divisor by_low_tiles;  // q_tiles - tall_tiles
};
