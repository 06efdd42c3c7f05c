// Quantizing V to e4m3: who does what, and where in shared memory. A thread takes eight channels.
constexpr u32 kValueRows = plan::quant_threads / plan::quant_lanes_v;  // threads of one channel
constexpr u32 kValueChannels = plan::head_dim_v;

__device__ __forceinline__ u32 value_lane() { return thread_index() % plan::quant_lanes_v; }
__device__ __forceinline__ u32 value_row() { return thread_index() / plan::quant_lanes_v; }
__device__ __forceinline__ bool has_channels() { return 8 * value_lane() < kValueChannels; }

// What is subtracted from a channel; what multiplies the rest, or, before it is known, the largest
// magnitude of the rest.
__device__ __forceinline__ u32 mean_word(u32 shared, u32 channel) { return shared + 4 * channel; }
__device__ __forceinline__ u32 factor_word(u32 shared, u32 channel) {
    return shared + 4 * (kValueChannels + channel);
}
// Two words: whether something was too large for its factor, or not finite.
__device__ __forceinline__ u32 saturated_word(u32 shared) { return shared + 8 * kValueChannels; }
__device__ __forceinline__ u32 nonfinite_word(u32 shared) {
    return shared + 8 * kValueChannels + 4;
}
__device__ __forceinline__ u32 value_scratch(u32 shared) {
    return shared + 8 * kValueChannels + 16;
}

__device__ __forceinline__ const u16* value_base(const Call& call, i32 kv_row) {
    return head_base(call.v, kv_row / call.heads_kv, kv_row % call.heads_kv);
}
// This thread's eight channels of a token.
__device__ __forceinline__ void load_value(u32 (&pairs)[4], const Call& call, const u16* base,
                                           u32 token) {
    load_eight(pairs, base + token_offset(call.v, token) + 8 * value_lane(),
               call.v.vector_access != 0);
}

// This thread's eight channels of one of the arrays above.
template <class WordOf>
__device__ __forceinline__ void load_channels(f32 (&numbers)[8], u32 shared,
                                              const WordOf& word_of) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
        numbers[i] = has_channels() ? load_shared_f32(word_of(shared, 8 * value_lane() + i)) : 0.0f;
    }
}

__device__ __forceinline__ i32 value_samples(const Call& call) {
    return call.len_k < plan::value_samples ? call.len_k : plan::value_samples;
}
