// Vector access to global memory; addresses are aligned to the access.
#include "instructions.h"

namespace sagejit {
namespace {

constexpr Instruction kRows[] = {
    {"load_global_u32",
     R"(__device__ __forceinline__ u32 load_global_u32(const void* source) {
    return *static_cast<const u32*>(source);
}
)",
     R"(inline u32 load_global_u32(const void* source) {
    u32 value;
    __builtin_memcpy(&value, source, 4);
    return value;
}
)"},
    {"load_global_u32x2",
     R"(__device__ __forceinline__ void load_global_u32x2(u32 (&value)[2], const void* source) {
    const uint2 loaded = *static_cast<const uint2*>(source);
    value[0] = loaded.x;
    value[1] = loaded.y;
}
)",
     R"(inline void load_global_u32x2(u32 (&value)[2], const void* source) {
    __builtin_memcpy(value, source, 8);
}
)"},
    {"load_global_u32x4",
     R"(__device__ __forceinline__ void load_global_u32x4(u32 (&value)[4], const void* source) {
    const uint4 loaded = *static_cast<const uint4*>(source);
    value[0] = loaded.x;
    value[1] = loaded.y;
    value[2] = loaded.z;
    value[3] = loaded.w;
}
)",
     R"(inline void load_global_u32x4(u32 (&value)[4], const void* source) {
    __builtin_memcpy(value, source, 16);
}
)"},
    {"load_once_u32x4",
     R"(// What is read once: first to leave the caches.
__device__ __forceinline__ void load_once_u32x4(u32 (&value)[4], const void* source) {
    const uint4 loaded = __ldcs(static_cast<const uint4*>(source));
    value[0] = loaded.x;
    value[1] = loaded.y;
    value[2] = loaded.z;
    value[3] = loaded.w;
}
)",
     R"(// What is read once: first to leave the caches.
inline void load_once_u32x4(u32 (&value)[4], const void* source) {
    __builtin_memcpy(value, source, 16);
}
)"},
    {"store_global_u32",
     R"(__device__ __forceinline__ void store_global_u32(void* destination, u32 value) {
    *static_cast<u32*>(destination) = value;
}
)",
     R"(inline void store_global_u32(void* destination, u32 value) {
    __builtin_memcpy(destination, &value, 4);
}
)"},
    {"store_global_u32x2",
     R"(__device__ __forceinline__ void store_global_u32x2(void* destination, const u32 (&value)[2]) {
    *static_cast<uint2*>(destination) = make_uint2(value[0], value[1]);
}
)",
     R"(inline void store_global_u32x2(void* destination, const u32 (&value)[2]) {
    __builtin_memcpy(destination, value, 8);
}
)"},
    {"store_global_u32x4",
     R"(__device__ __forceinline__ void store_global_u32x4(void* destination, const u32 (&value)[4]) {
    asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(
                     __cvta_generic_to_global(destination)),
                 "r"(value[0]), "r"(value[1]), "r"(value[2]), "r"(value[3])
                 : "memory");
}
)",
     R"(inline void store_global_u32x4(void* destination, const u32 (&value)[4]) {
    __builtin_memcpy(destination, value, 16);
}
)"},
    {"store_once_u32x4",
     R"(// What nobody reads again: first to leave the caches.
__device__ __forceinline__ void store_once_u32x4(void* destination, const u32 (&value)[4]) {
    __stcs(static_cast<uint4*>(destination), make_uint4(value[0], value[1], value[2], value[3]));
}
)",
     R"(// What nobody reads again: first to leave the caches.
inline void store_once_u32x4(void* destination, const u32 (&value)[4]) {
    __builtin_memcpy(destination, value, 16);
}
)"},
    {"prefetch_global",
     R"(// Brings the line at an address to L2.
__device__ __forceinline__ void prefetch_global(const void* address) {
    asm volatile("prefetch.global.L2 [%0];" ::"l"(__cvta_generic_to_global(address)));
}
)",
     R"(// Brings the line at an address to L2.
inline void prefetch_global(const void*) {}
)"},
    {"atomic_next_global",
     R"(// Adds one, or goes from `last` back to 0. Returns what was there.
__device__ __forceinline__ u32 atomic_next_global(u32* address, u32 last) {
    return atomicInc(address, last);
}
)",
     R"(// Adds one, or goes from `last` back to 0. Returns what was there.
inline u32 atomic_next_global(u32* address, u32 last) {
    u32 old = __atomic_load_n(address, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(address, &old, old >= last ? 0 : old + 1, false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return old;
}
)"},
    {"atomic_or_global",
     R"(// Returns what was there.
__device__ __forceinline__ u32 atomic_or_global(u32* address, u32 value) {
    return atomicOr(address, value);
}
)",
     R"(// Returns what was there.
inline u32 atomic_or_global(u32* address, u32 value) {
    return __atomic_fetch_or(address, value, __ATOMIC_RELAXED);
}
)"},
    {"atomic_add_global",
     R"(// Counts that CTAs share; in any order.
__device__ __forceinline__ void atomic_add_global(i32* address, i32 value) {
    atomicAdd(address, value);
}
)",
     R"(// Counts that CTAs share; in any order.
inline void atomic_add_global(i32* address, i32 value) {
    __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}
)"},
    {"arrive_global",
     R"(// Adds to a count that CTAs share, and returns what was there. What this thread has seen to be
// written, others see behind their arrivals.
__device__ __forceinline__ u32 arrive_global(u32* address, u32 count) {
    __threadfence();
    const u32 before = atomicAdd(address, count);
    __threadfence();
    return before;
}
)",
     R"(// Adds to a count that CTAs share, and returns what was there. What this thread has seen to be
// written, others see behind their arrivals.
inline u32 arrive_global(u32* address, u32 count) {
    return __atomic_fetch_add(address, count, __ATOMIC_ACQ_REL);
}
)"},
};

}  // namespace

std::span<const Instruction> global_instructions() { return kRows; }

}  // namespace sagejit
