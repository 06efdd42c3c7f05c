// What the host device offers a kernel compiled for the CPU. This file is read twice: pasted into
// the host form of an emitted source, and included by runtime/host/. Shared addresses are byte
// offsets into the CTA's shared memory. Functions marked "warp" are collectives of 32 lanes.

// One wgmma.mma_async m64nNk32 (8-bit types) or m64nNk16 (16-bit types).
struct WgmmaOperation {
    u32 kind;        // 0: s32 = s8 s8, 1: f32 = f16 f16, 2: f32 = bf16 bf16, 3: f32 = e4m3 e4m3
    u32 n;           // columns of B and D
    u32 accumulate;  // 0: D = A B, 1: D += A B
    u32 b_mn_major;  // 1: B has its columns contiguous (16-bit types only)
    u64 a_descriptor;
    u64 b_descriptor;
    const u32* a;  // this lane's four registers of A; null: A is in shared memory
    u32* d;        // this lane's n/2 registers of D
};

struct HostApi {
    u32 (*thread_index)();
    u32 (*cta_index)();
    u32 (*cta_count)();
    u32 (*cluster_rank)();
    u32 (*cluster_size)();
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
    void (*stmatrix_x4)(u32 address, const u32* words);  // .m8n8.x4.b16
    void (*mma_s8)(i32* accumulator, const u32* a, u32 b0, u32 b1);
    void (*mma_u8s8)(i32* accumulator, const u32* a, u32 b0, u32 b1);
    void (*mma_f16_f32)(f32* accumulator, const u32* a, u32 b0, u32 b1);
    void (*mma_f16_f16)(u32* accumulator, const u32* a, u32 b0, u32 b1);
    u32 (*shuffle_xor)(u32 value, u32 lane_mask);
    u32 (*vote_any)(u32 predicate);

    // sm_90. Barriers in shared memory; arriving adds bytes that copies must bring.
    void (*mbarrier_init)(u32 address, u32 arrivals);
    void (*mbarrier_init_fence)();
    void (*mbarrier_arrive)(u32 address, u32 bytes);
    u32 (*mbarrier_try_wait)(u32 address, u32 parity);
    void (*mbarrier_wait)(u32 address, u32 parity);
    void (*fence_async_shared)();
    void (*copy_bulk)(u32 destination, const void* source, u32 bytes, u32 barrier);
    void (*copy_tensor_4d)(u32 destination, const TensorMap* map, const i32* coordinates,
                           u32 barrier);
    void (*prefetch_tensor_map)(const TensorMap* map);

    // sm_90, clusters. A peer address stands for a shared address of one CTA of the cluster; bit i
    // of ctas for the CTA of rank i. The barrier is warp: waits is 0 to arrive, 1 to wait.
    void (*cluster_barrier)(u32 waits);
    u32 (*peer_address)(u32 address, u32 rank);
    void (*mbarrier_arrive_peer)(u32 peer_address, u32 releases);
    void (*mbarrier_wait_cluster)(u32 address, u32 parity);
    void (*copy_bulk_multicast)(u32 destination, const void* source, u32 bytes, u32 barrier,
                                u32 ctas);
    void (*copy_tensor_4d_multicast)(u32 destination, const TensorMap* map, const i32* coordinates,
                                     u32 barrier, u32 ctas);

    // warp. The registers that wgmma names are read and written between it and the wait for its
    // group: until then they must exist and stay as they are.
    void (*named_barrier)(u32 id, u32 threads, u32 waits);
    void (*set_max_registers)(u32 count, u32 up);
    void (*wgmma)(const WgmmaOperation& operation);
    void (*warpgroup_fence)();
    void (*warpgroup_commit)();
    void (*warpgroup_wait)(u32 pending_groups);

    f32 (*exp2)(f32 value);
    f32 (*log2)(f32 value);
    f32 (*fma)(f32 a, f32 b, f32 c);
};
