// P V with e4m3 operands, 32 keys an instruction, issued and not waited for.

// Values are K-major, a row a channel: the tile's tokens in panels one after the other.
constexpr u32 kValueTop = descriptor_top(kValuePanelBytes);
constexpr u32 kValueLeading = 1;
// Eight columns of ones lie before the values, in one panel of the same width.
constexpr u32 kOnesBefore = (plan::v_offset - plan::ones_offset) / 16;

// Packs probabilities of 16 keys. The order of the values' tokens makes them an A operand as they
// stand.
__device__ __forceinline__ void pack_step(Probabilities& p, const Scores& scores, int step) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
        const int first = 8 * step + 2 * h;
        p[step / 2][step % 2 * 2 + h] =
            f32_to_e4m3x4(bits_to_f32(scores[first]), bits_to_f32(scores[first + 1]),
                          bits_to_f32(scores[first + 4]), bits_to_f32(scores[first + 5]));
    }
}

// Whether a probability is as large as e4m3 goes, 448, or would have been larger.
__device__ __forceinline__ bool any_outgrown(const Probabilities& p) {
    constexpr u32 kToTheTop = 0x02020202u;  // 0x7E, 448, then has its upper bit set
    u32 bits = 0;
#pragma unroll
    for (int step = 0; step < plan::tile_k / 32; ++step) {
#pragma unroll
        for (int i = 0; i < 4; i += 2) {
            bits |= (p[step][i] + kToTheTop) | (p[step][i + 1] + kToTheTop);
        }
    }
    return (bits & 0x80808080u) != 0;
}

// O += P V, P from registers; next to it the row sums of P, for this tile alone: a long sum of
// positive terms would suffer from the accumulator's short mantissa.
__device__ __forceinline__ void start_pv(Output& output, const Probabilities& p, u32 values) {
    constexpr int kStepsPerPanel = kValuePanelBytes / 32;
    const u64 ones = descriptor(kValueTop, values - kOnesBefore);
#pragma unroll
    for (int step = 0; step < plan::tile_k / 32; ++step) {
        const u32 panel = step / kStepsPerPanel;
        const u32 inside = step % kStepsPerPanel * (32 / 16);
        const u32 offset = panel * (plan::head_dim_v * kValuePanelBytes / 16) + inside;
        wgmma_pv(output, p[step], descriptor(kValueTop, values + offset));
        if (step == 0) {
            wgmma_sums_first(output, p[step], ones);
        } else {
            wgmma_sums(output, p[step], ones);
        }
    }
    warpgroup_commit();
}
