// Matrix fragments: ldmatrix and mma.sync (PTX ISA, "Matrix multiply-accumulate operation using
// mma instruction").
#include "instructions.h"

namespace sagejit {
namespace {

constexpr Instruction kRows[] = {
    {"ldmatrix_x4",
     R"(// Four 8 x 16-byte matrices; lanes 8i..8i+7 give the row addresses of matrix i.
__device__ __forceinline__ void ldmatrix_x4(u32 (&result)[4], u32 address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(result[0]), "=r"(result[1]), "=r"(result[2]), "=r"(result[3])
                 : "r"(address)
                 : "memory");
}
)",
     R"(// Four 8 x 16-byte matrices; lanes 8i..8i+7 give the row addresses of matrix i.
inline void ldmatrix_x4(u32 (&result)[4], u32 address) {
    host_api->ldmatrix_x4(result, address, 0);
}
)"},
    {"ldmatrix_x4_trans",
     R"(// The same, each matrix of 16-bit elements transposed.
__device__ __forceinline__ void ldmatrix_x4_trans(u32 (&result)[4], u32 address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(result[0]), "=r"(result[1]), "=r"(result[2]), "=r"(result[3])
                 : "r"(address)
                 : "memory");
}
)",
     R"(// The same, each matrix of 16-bit elements transposed.
inline void ldmatrix_x4_trans(u32 (&result)[4], u32 address) {
    host_api->ldmatrix_x4(result, address, 1);
}
)"},
    {"stmatrix_x4",
     R"(// Four 8 x 16-byte matrices; lanes 8i..8i+7 give the row addresses of matrix i, lane l word l % 4
// of rows l / 4.
__device__ __forceinline__ void stmatrix_x4(u32 address, const u32 (&words)[4]) {
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(address),
                 "r"(words[0]), "r"(words[1]), "r"(words[2]), "r"(words[3])
                 : "memory");
}
)",
     R"(// Four 8 x 16-byte matrices; lanes 8i..8i+7 give the row addresses of matrix i, lane l word l % 4
// of rows l / 4.
inline void stmatrix_x4(u32 address, const u32 (&words)[4]) {
    host_api->stmatrix_x4(address, words);
}
)"},
    {"mma_s8",
     R"(// D += A B, m16n8k32, int8 by int8 to int32.
__device__ __forceinline__ void mma_s8(i32 (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm(
        "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
)",
     R"(// D += A B, m16n8k32, int8 by int8 to int32.
inline void mma_s8(i32 (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    host_api->mma_s8(d, a, b0, b1);
}
)"},
    {"mma_u8s8",
     R"(// D += A B, m16n8k32, unsigned int8 by int8 to int32.
__device__ __forceinline__ void mma_u8s8(i32 (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm(
        "mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
)",
     R"(// D += A B, m16n8k32, unsigned int8 by int8 to int32.
inline void mma_u8s8(i32 (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    host_api->mma_u8s8(d, a, b0, b1);
}
)"},
    {"mma_f16_f32",
     R"(// D += A B, m16n8k16, fp16 by fp16 to fp32.
__device__ __forceinline__ void mma_f16_f32(f32 (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
)",
     R"(// D += A B, m16n8k16, fp16 by fp16 to fp32.
inline void mma_f16_f32(f32 (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    host_api->mma_f16_f32(d, a, b0, b1);
}
)"},
    {"mma_f16_f16",
     R"(// D += A B, m16n8k16, fp16 by fp16 to fp16.
__device__ __forceinline__ void mma_f16_f16(u32 (&d)[2], const u32 (&a)[4], u32 b0, u32 b1) {
    asm(
        "mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 "
        "{%0, %1}, {%2, %3, %4, %5}, {%6, %7}, {%0, %1};"
        : "+r"(d[0]), "+r"(d[1])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
)",
     R"(// D += A B, m16n8k16, fp16 by fp16 to fp16.
inline void mma_f16_f16(u32 (&d)[2], const u32 (&a)[4], u32 b0, u32 b1) {
    host_api->mma_f16_f16(d, a, b0, b1);
}
)"},
    {"truncation_loss",
     R"(// What truncation takes from sums of e4m3 products: as much as has been measured.
__device__ __forceinline__ f32 truncation_loss(f32 measured) { return measured; }
)",
     R"(// What truncation takes from sums of e4m3 products: nothing, as these are exact.
inline f32 truncation_loss(f32) { return 0.0f; }
)"},
};

}  // namespace

std::span<const Instruction> matrix_instructions() { return kRows; }

}  // namespace sagejit
