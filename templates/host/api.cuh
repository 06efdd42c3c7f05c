// What the host device offers a kernel compiled for the CPU. This file is read twice: pasted into
// the host form of an emitted source, and included by runtime/host/. Shared addresses are byte
// offsets into the CTA's shared memory. Functions marked "warp" are collectives of 32 lanes.
struct HostApi {
    u32 (*thread_index)();
    u32 (*cta_index)();
    void (*cta_barrier)();
    void (*warp_barrier)();

    // Shared memory. bytes: 1, 2, 4, 8 or 16, address aligned to it.
    void (*load_shared)(void* destination, u32 address, u32 bytes);
    void (*store_shared)(u32 address, const void* source, u32 bytes);
    void (*atomic_max_shared)(u32 address, u32 value);

    // Copies 16 bytes to shared memory, of which the first source_bytes come from source and the
    // rest are zero. Completion is asynchronous until cp_async_wait.
    void (*cp_async_16)(u32 address, const void* source, u32 source_bytes);
    void (*cp_async_commit)();
    void (*cp_async_wait)(u32 pending_groups);

    // warp. Layouts are those of the PTX ISA: ldmatrix .m8n8.x4[.trans].b16, mma.m16n8k32 and
    // mma.m16n8k16, row.col. Accumulators are read and written in place.
    void (*ldmatrix_x4)(u32* result, u32 address, u32 transposed);
    void (*mma_s8)(i32* accumulator, const u32* a, u32 b0, u32 b1);
    void (*mma_u8s8)(i32* accumulator, const u32* a, u32 b0, u32 b1);
    void (*mma_f16_f32)(f32* accumulator, const u32* a, u32 b0, u32 b1);
    void (*mma_f16_f16)(u32* accumulator, const u32* a, u32 b0, u32 b1);
    u32 (*shuffle_xor)(u32 value, u32 lane_mask);
    u32 (*vote_any)(u32 predicate);

    f32 (*exp2)(f32 value);
    f32 (*log2)(f32 value);
    f32 (*fma)(f32 a, f32 b, f32 c);
};
