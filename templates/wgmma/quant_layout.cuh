// The quantizer: who does what, and where in shared memory. A CTA takes consecutive tiles of keys,
// in one order for all heads; what holds for a head is found again where a new one begins.
constexpr u32 kQuantWarps = plan::quant_threads / kWarpLanes;
__device__ __forceinline__ u32 quant_warp() { return thread_index() / kWarpLanes; }
__device__ __forceinline__ u32 quant_lane() { return thread_index() % kWarpLanes; }

// Reading K, a thread takes eight channels of every kKeyRows-th row.
constexpr int kKeyRows = plan::quant_threads / plan::quant_lanes;
constexpr int kKeyPasses = divide_up(plan::tile_k, kKeyRows);
static_assert(kKeyRows % 8 == 0, "a thread's rows share a scale");
__device__ __forceinline__ u32 key_lane() { return thread_index() % plan::quant_lanes; }
__device__ __forceinline__ u32 key_row() { return thread_index() / plan::quant_lanes; }
__device__ __forceinline__ const u16* key_base(const Call& call, i32 kv_row) {
    return head_base(call.k, kv_row / call.heads_kv, kv_row % call.heads_kv);
}

// Words of shared memory: the mean of each channel of K, then of V, then V's factors and offsets;
// three sets of a tile's marks, which it uses in turn; words of its own; and scratch.
enum Mark { kGroupMark = 0, kBadKeyMark = 4, kMarks = 5 };
static_assert(kKeyGroups <= kBadKeyMark, "a mark a group");
constexpr u32 kMarkSets = 3;
enum OwnWord { kBegin, kEnd, kFound, kOwnWords };  // its tiles; what it has found
constexpr u32 kKeyMeans = 0;
constexpr u32 kValueMeans = kKeyMeans + plan::head_dim_padded;
constexpr u32 kValueFactors = kValueMeans + plan::head_dim_v;
constexpr u32 kValueOffsets = kValueFactors + plan::head_dim_v;
constexpr u32 kMarkWords = kValueOffsets + plan::head_dim_v;
constexpr u32 kFirstOwnWord = kMarkWords + kMarkSets * kMarks;
constexpr u32 kScratchWords = divide_up(kFirstOwnWord + kOwnWords, 4) * 4;
static_assert(kScratchWords % 4 == 0 && kQuantWarps > 0, "scratch is read 16 bytes at a time");

__device__ __forceinline__ u32 word_at(u32 shared, u32 word) { return shared + 4 * word; }
__device__ __forceinline__ u32 marks_of(u32 shared, u32 turn) {
    return word_at(shared, kMarkWords + turn % kMarkSets * kMarks);
}
__device__ __forceinline__ u32 own_word(u32 shared, OwnWord word) {
    return word_at(shared, kFirstOwnWord + word);
}
// The CTA's tiles of all are [begin, end). Read where they are wanted, they take no register.
__device__ __forceinline__ u32 begin_of_tiles(u32 shared) {
    return load_shared_u32(own_word(shared, kBegin));
}
__device__ __forceinline__ u32 end_of_tiles(u32 shared) {
    return load_shared_u32(own_word(shared, kEnd));
}
__device__ __forceinline__ void clear_marks(u32 marks) {
    if (thread_index() < kMarks) store_shared_u32(marks + 4 * thread_index(), 0);
}

// Eight consecutive words.
__device__ __forceinline__ void load_eight_f32(f32 (&numbers)[8], u32 address) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        u32 bits[4];
        load_shared_u32x4(bits, address + 16 * half);
#pragma unroll
        for (int i = 0; i < 4; ++i) numbers[4 * half + i] = bits_to_f32(bits[i]);
    }
}
__device__ __forceinline__ void store_eight_f32(u32 address, const f32 (&numbers)[8]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        u32 bits[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) bits[i] = f32_to_bits(numbers[4 * half + i]);
        store_shared_u32x4(address + 16 * half, bits);
    }
}

// Adds what lanes of a warp hold of the same eight channels, `lanes` of them to a row. All get it.
template <int lanes>
__device__ __forceinline__ void add_rows_of_warp(f32 (&sums)[8]) {
#pragma unroll
    for (int step = lanes; step < static_cast<int>(kWarpLanes); step *= 2) {
#pragma unroll
        for (int i = 0; i < 8; ++i) sums[i] = add_rn(sums[i], shuffle_xor_f32(sums[i], step));
    }
}

// This thread's rows of a sample of at most `most` tokens of a head: every rows-th. Zeros where
// there are none. channel: the first of eight; `channels` there are. Of `parts` such samples the
// part-th.
template <int most, int rows>
struct Sample {
    static constexpr int kReads = divide_up(most, rows);
    u32 pairs[kReads][4];

    __device__ __forceinline__ static i32 count(const Call& call) {
        return call.len_k < most ? call.len_k : most;
    }
    __device__ __forceinline__ static i32 index(int read, u32 row) {
        return static_cast<i32>(row) + read * rows;
    }
    __device__ __forceinline__ void load(const Call& call, const TensorView& view, const u16* base,
                                         u32 row, u32 channel, u32 channels, i32 part = 0,
                                         i32 parts = 1) {
        const i32 samples = channel < channels ? count(call) : 0;
#pragma unroll
        for (int read = 0; read < kReads; ++read) {
#pragma unroll
            for (int i = 0; i < 4; ++i) pairs[read][i] = 0;
        }
        const auto source = [&](int read) {
            const i32 token = sampled_token<most>(call, index(read, row), samples, part, parts);
            return base + token_offset(view, token) + channel;
        };
        if (view.vector_access != 0) {
#pragma unroll
            for (int read = 0; read < kReads; ++read) {
                if (index(read, row) < samples) load_global_u32x4(pairs[read], source(read));
            }
        } else {
#pragma unroll
            for (int read = 0; read < kReads; ++read) {
                if (index(read, row) < samples) load_eight(pairs[read], source(read), false);
            }
        }
    }
};
