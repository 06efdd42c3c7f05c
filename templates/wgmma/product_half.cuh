// P V with 16-bit operands, 16 keys an instruction, issued and not waited for.

// Values are MN-major: 64 channels a panel, the next panel a leading offset further.
constexpr u32 kValueTop = descriptor_top(128);
constexpr u32 kValueLeading = plan::tile_k * kValuePanelBytes / 16;

// Packs probabilities of 16 keys.
__device__ __forceinline__ void pack_step(Probabilities& p, const Scores& scores, int step) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const int first = 8 * step + 2 * i;
        p[step][i] = probability_pair(bits_to_f32(scores[first]), bits_to_f32(scores[first + 1]));
    }
}

// Whether a probability is 2 or more: the upper bit of the exponent, in fp16 as in bf16.
__device__ __forceinline__ bool any_outgrown(const Probabilities& p) {
    u32 bits = 0;
#pragma unroll
    for (int step = 0; step < kKeySteps; ++step) {
#pragma unroll
        for (int i = 0; i < 4; i += 2) bits |= p[step][i] | p[step][i + 1];
    }
    return (bits & 0x40004000u) != 0;
}

// O += P V, P from registers.
__device__ __forceinline__ void start_pv(Output& output, const Probabilities& p, u32 values) {
#pragma unroll
    for (int step = 0; step < kKeySteps; ++step) {
        wgmma_pv(output, p[step],
                 descriptor(kValueTop, values + step * (16 * kValuePanelBytes / 16)));
    }
    warpgroup_commit();
}
