// Shared memory by 32-bit address, atomics on it, asynchronous copies into it.
#include "instructions.h"

namespace sagejit {
namespace {

constexpr Instruction kRows[] = {
    {"shared_base",
     R"(extern __shared__ __align__(128) u8 dynamic_shared[];
__device__ __forceinline__ u32 shared_base() {
    return static_cast<u32>(__cvta_generic_to_shared(dynamic_shared));
}
)",
     R"(inline u32 shared_base() { return 0; }
)"},
    {"shared_base_swizzled",
     R"(// Shared memory that starts at a period of every swizzle.
extern __shared__ __align__(1024) u8 swizzled_shared[];
__device__ __forceinline__ u32 shared_base_swizzled() {
    return static_cast<u32>(__cvta_generic_to_shared(swizzled_shared));
}
)",
     R"(// Shared memory that starts at a period of every swizzle.
inline u32 shared_base_swizzled() { return 0; }
)"},
    {"load_shared_u32",
     R"(__device__ __forceinline__ u32 load_shared_u32(u32 address) {
    u32 value;
    asm volatile("ld.shared.b32 %0, [%1];" : "=r"(value) : "r"(address) : "memory");
    return value;
}
)",
     R"(inline u32 load_shared_u32(u32 address) {
    u32 value;
    host_api->load_shared(&value, address, 4);
    return value;
}
)"},
    {"load_shared_f32",
     R"(__device__ __forceinline__ f32 load_shared_f32(u32 address) {
    f32 value;
    asm volatile("ld.shared.f32 %0, [%1];" : "=f"(value) : "r"(address) : "memory");
    return value;
}
)",
     R"(inline f32 load_shared_f32(u32 address) {
    f32 value;
    host_api->load_shared(&value, address, 4);
    return value;
}
)"},
    {"load_shared_f32x2",
     R"(__device__ __forceinline__ void load_shared_f32x2(f32 (&value)[2], u32 address) {
    asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];"
                 : "=f"(value[0]), "=f"(value[1])
                 : "r"(address)
                 : "memory");
}
)",
     R"(inline void load_shared_f32x2(f32 (&value)[2], u32 address) {
    host_api->load_shared(value, address, 8);
}
)"},
    {"load_shared_u32x2",
     R"(__device__ __forceinline__ void load_shared_u32x2(u32 (&value)[2], u32 address) {
    asm volatile("ld.shared.v2.b32 {%0, %1}, [%2];"
                 : "=r"(value[0]), "=r"(value[1])
                 : "r"(address)
                 : "memory");
}
)",
     R"(inline void load_shared_u32x2(u32 (&value)[2], u32 address) {
    host_api->load_shared(value, address, 8);
}
)"},
    {"load_shared_u32x4",
     R"(__device__ __forceinline__ void load_shared_u32x4(u32 (&value)[4], u32 address) {
    asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(value[0]), "=r"(value[1]), "=r"(value[2]), "=r"(value[3])
                 : "r"(address)
                 : "memory");
}
)",
     R"(inline void load_shared_u32x4(u32 (&value)[4], u32 address) {
    host_api->load_shared(value, address, 16);
}
)"},
    {"store_shared_u8",
     R"(__device__ __forceinline__ void store_shared_u8(u32 address, u8 value) {
    asm volatile("st.shared.b8 [%0], %1;" ::"r"(address), "r"(static_cast<u32>(value)) : "memory");
}
)",
     R"(inline void store_shared_u8(u32 address, u8 value) {
    host_api->store_shared(address, &value, 1);
}
)"},
    {"store_shared_u32",
     R"(__device__ __forceinline__ void store_shared_u32(u32 address, u32 value) {
    asm volatile("st.shared.b32 [%0], %1;" ::"r"(address), "r"(value) : "memory");
}
)",
     R"(inline void store_shared_u32(u32 address, u32 value) {
    host_api->store_shared(address, &value, 4);
}
)"},
    {"store_shared_f32",
     R"(__device__ __forceinline__ void store_shared_f32(u32 address, f32 value) {
    asm volatile("st.shared.f32 [%0], %1;" ::"r"(address), "f"(value) : "memory");
}
)",
     R"(inline void store_shared_f32(u32 address, f32 value) {
    host_api->store_shared(address, &value, 4);
}
)"},
    {"store_shared_f32_if",
     R"(// Without a branch, after which ptxas no longer believes that a warp is together.
__device__ __forceinline__ void store_shared_f32_if(bool wanted, u32 address, f32 value) {
    asm volatile(
        "{\n"
        ".reg .pred p;\n"
        "setp.ne.s32 p, %2, 0;\n"
        "@p st.shared.f32 [%0], %1;\n"
        "}\n" ::"r"(address), "f"(value), "r"(static_cast<i32>(wanted)) : "memory");
}
)",
     R"(inline void store_shared_f32_if(bool wanted, u32 address, f32 value) {
    if (wanted) host_api->store_shared(address, &value, 4);
}
)"},
    {"store_shared_u32x2",
     R"(__device__ __forceinline__ void store_shared_u32x2(u32 address, const u32 (&value)[2]) {
    asm volatile("st.shared.v2.b32 [%0], {%1, %2};" ::"r"(address), "r"(value[0]), "r"(value[1])
                 : "memory");
}
)",
     R"(inline void store_shared_u32x2(u32 address, const u32 (&value)[2]) {
    host_api->store_shared(address, value, 8);
}
)"},
    {"store_shared_u32x4",
     R"(__device__ __forceinline__ void store_shared_u32x4(u32 address, const u32 (&value)[4]) {
    asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(value[0]),
                 "r"(value[1]), "r"(value[2]), "r"(value[3])
                 : "memory");
}
)",
     R"(inline void store_shared_u32x4(u32 address, const u32 (&value)[4]) {
    host_api->store_shared(address, value, 16);
}
)"},
    {"atomic_max_shared",
     R"(__device__ __forceinline__ void atomic_max_shared(u32 address, u32 value) {
    asm volatile("red.shared.max.u32 [%0], %1;" ::"r"(address), "r"(value) : "memory");
}
)",
     R"(inline void atomic_max_shared(u32 address, u32 value) {
    host_api->atomic_max_shared(address, value);
}
)"},
    {"cp_async_16",
     R"(// Copies source_bytes (0 to 16) and fills the rest of 16 bytes with zeros.
__device__ __forceinline__ void cp_async_16(u32 address, const void* source, u32 source_bytes) {
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(address),
                 "l"(__cvta_generic_to_global(source)), "r"(source_bytes)
                 : "memory");
}
)",
     R"(// Copies source_bytes (0 to 16) and fills the rest of 16 bytes with zeros.
inline void cp_async_16(u32 address, const void* source, u32 source_bytes) {
    host_api->cp_async_16(address, source, source_bytes);
}
)"},
    {"cp_async_16_if",
     R"(// Copies 16 bytes, where wanted; without a branch.
__device__ __forceinline__ void cp_async_16_if(bool wanted, u32 address, const void* source) {
    asm volatile(
        "{\n\t.reg .pred wanted;\n\tsetp.ne.u32 wanted, %2, 0;\n\t"
        "@wanted cp.async.cg.shared.global.L2::128B [%0], [%1], 16;\n\t}" ::"r"(address),
        "l"(__cvta_generic_to_global(source)), "r"(static_cast<u32>(wanted))
        : "memory");
}
)",
     R"(// Copies 16 bytes, where wanted; without a branch.
inline void cp_async_16_if(bool wanted, u32 address, const void* source) {
    if (wanted) host_api->cp_async_16(address, source, 16);
}
)"},
    {"cp_async_commit",
     R"(__device__ __forceinline__ void cp_async_commit() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}
)",
     R"(inline void cp_async_commit() { host_api->cp_async_commit(); }
)"},
    {"cp_async_wait",
     R"(// Waits until at most `pending` of this thread's groups are in flight.
template <int pending>
__device__ __forceinline__ void cp_async_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}
)",
     R"(// Waits until at most `pending` of this thread's groups are in flight.
template <int pending>
inline void cp_async_wait() {
    host_api->cp_async_wait(pending);
}
)"},
};

}  // namespace

std::span<const Instruction> shared_instructions() { return kRows; }

}  // namespace sagejit
