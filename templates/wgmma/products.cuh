// Matrix descriptors, and Q K^T of a step, issued and not waited for.

// Matrix descriptors (PTX ISA, "Matrix descriptor format"). Their upper words are constants, the
// distance of 8-row groups and the swizzle; the lower ones, leading offset and address, advance
// within 32 bits.
__device__ constexpr u32 descriptor_top(u32 width) {
    const u32 swizzle = width == 128 ? 1 : width == 64 ? 2 : 3;
    return 8 * width / 16 | swizzle << 30;
}
constexpr u32 kInt8Top = descriptor_top(plan::panel_bytes);
constexpr u32 kInt8Leading = 1;

// In a cluster the bits of an address from 24 on are the CTA's rank.
__device__ __forceinline__ u32 descriptor_address(u32 address) {
    return (plan::cluster_q > 1 ? address & 0x3FFFFu : address) >> 4;
}
__device__ __forceinline__ u32 descriptor_low(u32 leading, u32 address) {
    return leading << 16 | descriptor_address(address);
}
__device__ __forceinline__ u64 descriptor(u32 top, u32 low) {
    return static_cast<u64>(top) << 32 | low;
}

__device__ __forceinline__ void clear_scores(Scores& scores) {
#pragma unroll
    for (int i = 0; i < kScoreRegisters; ++i) scores[i] = static_cast<i32>(kScoreBiasBits);
}

// S += Q K^T, both from shared memory.
__device__ __forceinline__ void start_qk(Scores& scores, u32 query, u32 keys) {
    constexpr int kStepsPerPanel = plan::panel_bytes / 32;
#pragma unroll
    for (int step = 0; step < kHeadSteps; ++step) {
        const u32 panel = step / kStepsPerPanel;
        const u32 inside = step % kStepsPerPanel * (32 / 16);
        const u32 query_step = query + panel * (kGroupRows * plan::panel_bytes / 16) + inside;
        const u32 key_step = keys + panel * (plan::tile_k * plan::panel_bytes / 16) + inside;
        wgmma_qk(scores, descriptor(kInt8Top, query_step), descriptor(kInt8Top, key_step));
    }
    warpgroup_commit();
}
