// Both products of a step, issued and not waited for.

// Bits 32 to 63 of a matrix descriptor: distance of 8-row groups, swizzle (PTX ISA, "Matrix
// descriptor format").
__device__ constexpr u64 panel_descriptor(u32 width) {
    return static_cast<u64>(8 * width / 16) << 32 | static_cast<u64>(width == 128  ? 1
                                                                     : width == 64 ? 2
                                                                                   : 3)
                                                        << 62;
}
constexpr u64 kInt8Descriptor = panel_descriptor(plan::panel_bytes) | 1ull << 16;
// Values are MN-major: 64 channels a panel, the next panel a leading offset further.
constexpr u64 kValueDescriptor =
    panel_descriptor(128) | static_cast<u64>(plan::tile_k * kValuePanelBytes / 16) << 16;

__device__ __forceinline__ u64 at_address(u64 descriptor, u32 address) {
    return descriptor | address >> 4;
}

__device__ __forceinline__ void clear_scores(Scores& scores) {
#pragma unroll
    for (int i = 0; i < kScoreRegisters; ++i) scores[i] = static_cast<i32>(kScoreBiasBits);
}

// S += Q K^T, both from shared memory.
__device__ __forceinline__ void start_qk(Scores& scores, u64 query, u64 keys) {
    constexpr int kStepsPerPanel = plan::panel_bytes / 32;
#pragma unroll
    for (int step = 0; step < kHeadSteps; ++step) {
        const u32 panel = step / kStepsPerPanel;
        const u32 inside = step % kStepsPerPanel * (32 / 16);
        wgmma_qk(scores, query + panel * (kGroupRows * plan::panel_bytes / 16) + inside,
                 keys + panel * (plan::tile_k * plan::panel_bytes / 16) + inside);
    }
    warpgroup_commit();
}

// O += P V, P from registers.
__device__ __forceinline__ void start_pv(Output& output, const Probabilities& p, u64 values) {
#pragma unroll
    for (int step = 0; step < kKeySteps; ++step) {
        wgmma_pv(output, p[step], values + step * (16 * kValuePanelBytes / 16));
    }
    warpgroup_commit();
}
