// Settles what notes say about V: where a tile held a number too large for the sample's scale, the
// head is quantized again, with scales from all of its values; where it held NaN or Inf, the first
// such key of each channel is found. Without notes there is nothing to do.

// Several CTAs share a head: the tiles that one quantizes are `parts` apart.
static_assert(plan::settle_parts > 0, "the most that share one");

// Marks what the head's notes say.
__device__ __forceinline__ void read_notes(const Call& call, i32 kv_row, u32 marks) {
    const i32* notes = call.v_notes + static_cast<u64>(kv_row) * call.k_tiles;
    i32 found = 0;
    for (i32 tile = thread_index(); tile < call.k_tiles; tile += plan::quant_threads) {
        found |= notes[tile];
    }
    if ((found & kSaturated) != 0) atomic_max_shared(marks + 4 * kSaturatedMark, 1);
    if ((found & kNotFinite) != 0) atomic_max_shared(marks + 4 * kNonfiniteMark, 1);
    cta_barrier();
}

// Calls use(pairs, token) with this thread's channels of every token that is its.
template <class Use>
__device__ __forceinline__ void for_values(const Call& call, const u16* base, const Use& use) {
    if (!has_channels()) return;
#pragma unroll 4
    for (i32 token = value_row(); token < call.len_k; token += kValueRows) {
        u32 pairs[4];
        load_eight(pairs, base + token_offset(call.v, token) + 8 * value_lane(),
                   call.v.vector_access != 0);
        use(pairs, token);
    }
}

// The first key with NaN or Inf of each channel, kept as its distance from kNoBadKey so that a
// maximum finds it.
__device__ __forceinline__ void find_bad_keys(const Call& call, i32 kv_row, const u16* base,
                                              u32 shared) {
    const u32 words = word_at(shared, kScratchWords);
#pragma unroll 1
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        store_shared_u32(words + 4 * channel, 0);
    }
    cta_barrier();
    i32 first[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) first[i] = kNoBadKey;
    for_values(call, base, [&first](const u32(&pairs)[4], i32 token) {
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            if (!input_is_finite(nth_of_eight(pairs, i)) && token < first[i]) first[i] = token;
        }
    });
    if (has_channels()) {
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            atomic_max_shared(words + 4 * (8 * value_lane() + i),
                              static_cast<u32>(kNoBadKey - first[i]));
        }
    }
    cta_barrier();
#pragma unroll 1
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        call.v_first_bad[static_cast<u64>(kv_row) * kValueChannels + channel] =
            kNoBadKey - static_cast<i32>(load_shared_u32(words + 4 * channel));
    }
    cta_barrier();
}

__device__ __forceinline__ void quantize_again(const Call& call, i32 kv_row, u32 part, u32 parts,
                                               const u16* base, u32 shared, u32 marks) {
    const u64 words = static_cast<u64>(kv_row) * kValueChannels;
#pragma unroll 1
    for (u32 channel = thread_index(); channel < kValueChannels; channel += plan::quant_threads) {
        store_shared_f32(mean_word(shared, channel), call.v_mean[words + channel]);
    }
    clear_factors(shared);
    cta_barrier();
    f32 mean[8] = {};
    u32 largest[8] = {};
    if (has_channels()) load_eight_f32(mean, mean_word(shared, 8 * value_lane()));
    for_values(call, base, [&](const u32(&pairs)[4], i32) { raise_largest(largest, pairs, mean); });
    mark_largest(largest, shared);
    choose_factors(shared, kExactTop, part == 0 ? call.v_scale + words : nullptr);
    for (i32 tile = part; tile < call.k_tiles; tile += static_cast<i32>(parts)) {
        quantize_value_tile(call, kv_row, tile, shared, marks);
    }
}

extern "C" __global__ void __launch_bounds__(plan::quant_threads)
    settle_values(const __grid_constant__ Call call) {
    grid_dependency_launch();
    const u32 shared = shared_base();
    const u32 parts = cta_count() / (static_cast<u32>(call.batch) * call.heads_kv);
    const i32 kv_row = static_cast<i32>(cta_index() / parts);
    const u32 part = cta_index() % parts;
    const u32 marks = marks_of(shared, 0);
    clear_marks(marks);
    cta_barrier();
    grid_dependency_wait();
    read_notes(call, kv_row, marks);
    const u16* base = value_base(call, kv_row);
    const bool saturated = load_shared_u32(marks + 4 * kSaturatedMark) != 0;
    const bool nonfinite = load_shared_u32(marks + 4 * kNonfiniteMark) != 0;
    if (part == 0 && nonfinite) find_bad_keys(call, kv_row, base, shared);
    if (saturated) quantize_again(call, kv_row, part, parts, base, shared, marks);
}
