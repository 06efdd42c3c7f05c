// Quantizing V to e4m3: who does what. Samples, and heads read again, are read by rows, eight
// channels a thread; tiles by units of 32 tokens and 32 channels, one a warp.
constexpr int kValueRows = plan::quant_threads / plan::quant_lanes_v;  // threads of one channel
constexpr u32 kValueChannels = plan::head_dim_v;

__device__ __forceinline__ u32 value_lane() { return thread_index() % plan::quant_lanes_v; }
__device__ __forceinline__ u32 value_row() { return thread_index() / plan::quant_lanes_v; }
__device__ __forceinline__ bool has_channels() { return 8 * value_lane() < kValueChannels; }

__device__ __forceinline__ const u16* value_base(const Call& call, i32 kv_row) {
    return head_base(call.v, kv_row / call.heads_kv, kv_row % call.heads_kv);
}

// What could not be done about a head's values; in front of it, how many tiles are quantized.
__device__ __forceinline__ u32* notes_of(const Call& call, u32 kv_row) {
    return call.v_notes + 2 * static_cast<u64>(kv_row) + 1;
}

// What is subtracted from a channel; what multiplies the rest, or, before it is known, the largest
// magnitude of the rest.
__device__ __forceinline__ u32 mean_word(u32 shared, u32 channel) {
    return word_at(shared, kValueMeans + channel);
}
__device__ __forceinline__ u32 factor_word(u32 shared, u32 channel) {
    return word_at(shared, kValueFactors + channel);
}
// The mean times the factor, to be added.
__device__ __forceinline__ u32 offset_word(u32 shared, u32 channel) {
    return word_at(shared, kValueOffsets + channel);
}

using ValueSample = Sample<plan::value_samples, kValueRows>;
