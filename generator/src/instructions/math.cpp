// fp32 arithmetic. The _rn forms are IEEE operations that no compiler contracts or approximates,
// so that quantizers give the same integers everywhere.
#include "instructions.h"

namespace sagejit {
namespace {

constexpr Instruction kRows[] = {
    {"add_rn",
     R"(__device__ __forceinline__ f32 add_rn(f32 a, f32 b) { return __fadd_rn(a, b); }
)",
     R"(inline f32 add_rn(f32 a, f32 b) { return a + b; }
)"},
    {"mul_rn",
     R"(__device__ __forceinline__ f32 mul_rn(f32 a, f32 b) { return __fmul_rn(a, b); }
)",
     R"(inline f32 mul_rn(f32 a, f32 b) { return a * b; }
)"},
    {"fma_rn",
     R"(__device__ __forceinline__ f32 fma_rn(f32 a, f32 b, f32 c) { return __fmaf_rn(a, b, c); }
)",
     R"(inline f32 fma_rn(f32 a, f32 b, f32 c) { return host_api->fma(a, b, c); }
)"},
    {"div_normal",
     R"(// a / b to nearest even, for b and quotient well inside the normal range: no branch for others.
__device__ __forceinline__ f32 div_normal(f32 a, f32 b) {
    f32 inverse;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(inverse) : "f"(b));
    inverse = __fmaf_rn(__fmaf_rn(-b, inverse, 1.0f), inverse, inverse);
    const f32 close = __fmul_rn(a, inverse);
    const f32 closer = __fmaf_rn(__fmaf_rn(-b, close, a), inverse, close);
    return __fmaf_rn(__fmaf_rn(-b, closer, a), inverse, closer);
}
)",
     R"(// a / b to nearest even, for b and quotient well inside the normal range: no branch for others.
inline f32 div_normal(f32 a, f32 b) { return a / b; }
)"},
    {"div_rn",
     R"(__device__ __forceinline__ f32 div_rn(f32 a, f32 b) { return __fdiv_rn(a, b); }
)",
     R"(inline f32 div_rn(f32 a, f32 b) { return a / b; }
)"},
    {"max_f32",
     R"(// The larger one; the other one where one is NaN.
__device__ __forceinline__ f32 max_f32(f32 a, f32 b) { return fmaxf(a, b); }
)",
     R"(// The larger one; the other one where one is NaN.
inline f32 max_f32(f32 a, f32 b) { return __builtin_isnan(a) || a < b ? b : a; }
)"},
    {"larger_magnitude",
     R"(// The larger of |a| and |b|; NaN where one is NaN.
__device__ __forceinline__ f32 larger_magnitude(f32 a, f32 b) {
    f32 result;
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(fabsf(a)), "f"(fabsf(b)));
    return result;
}
)",
     R"(// The larger of |a| and |b|; NaN where one is NaN.
inline f32 larger_magnitude(f32 a, f32 b) {
    const f32 left = __builtin_fabsf(a), right = __builtin_fabsf(b);
    return left > right || left != left ? left : right;
}
)"},
    {"min_f32",
     R"(// The smaller one; the other one where one is NaN.
__device__ __forceinline__ f32 min_f32(f32 a, f32 b) { return fminf(a, b); }
)",
     R"(// The smaller one; the other one where one is NaN.
inline f32 min_f32(f32 a, f32 b) { return __builtin_isnan(a) || b < a ? b : a; }
)"},
    {"dot4_s8",
     R"(// sum + the dot product of four int8 pairs.
__device__ __forceinline__ i32 dot4_s8(u32 a, u32 b, i32 sum) {
    return __dp4a(static_cast<i32>(a), static_cast<i32>(b), sum);
}
)",
     R"(// sum + the dot product of four int8 pairs.
inline i32 dot4_s8(u32 a, u32 b, i32 sum) {
    for (int i = 0; i < 32; i += 8) sum += static_cast<i8>(a >> i) * static_cast<i8>(b >> i);
    return sum;
}
)"},
    {"max3_s32",
     R"(__device__ __forceinline__ i32 max3_s32(i32 a, i32 b, i32 c) { return __vimax3_s32(a, b, c); }
)",
     R"(inline i32 max3_s32(i32 a, i32 b, i32 c) {
    const i32 larger = a > b ? a : b;
    return larger > c ? larger : c;
}
)"},
    {"exp2_approx",
     R"(// 2^value, denormal results flushed to zero.
__device__ __forceinline__ f32 exp2_approx(f32 value) {
    f32 result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
    return result;
}
)",
     R"(// 2^value, denormal results flushed to zero.
inline f32 exp2_approx(f32 value) { return host_api->exp2(value); }
)"},
    {"exp2_in_order",
     R"(// exp2_approx where it stands among other instructions of fixed order: not behind a wait.
__device__ __forceinline__ f32 exp2_in_order(f32 value) {
    f32 result;
    asm volatile("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
    return result;
}
)",
     R"(// exp2_approx where it stands among other instructions of fixed order: not behind a wait.
inline f32 exp2_in_order(f32 value) { return host_api->exp2(value); }
)"},
    {"move_in_order",
     R"(// The value, put into a register where this stands among other instructions of fixed order.
__device__ __forceinline__ i32 move_in_order(u32 value) {
    i32 result;
    asm volatile("mov.b32 %0, %1;" : "=r"(result) : "r"(value));
    return result;
}
)",
     R"(// The value, put into a register where this stands among other instructions of fixed order.
inline i32 move_in_order(u32 value) { return static_cast<i32>(value); }
)"},
    {"kept_in_register",
     R"(// The value, which whoever uses it again keeps in a register instead of computing it again.
__device__ __forceinline__ u32 kept_in_register(u32 value) {
    u32 result;
    asm volatile("mov.b32 %0, %1;" : "=r"(result) : "r"(value));
    return result;
}
)",
     R"(// The value, which whoever uses it again keeps in a register instead of computing it again.
inline u32 kept_in_register(u32 value) { return value; }
)"},
    {"elements_further",
     R"(// source + count, added just here instead of being kept for every count.
__device__ __forceinline__ const u16* elements_further(const u16* source, u64 count) {
    const u16* result;
    asm volatile("add.u64 %0, %1, %2;" : "=l"(result) : "l"(source), "l"(2 * count));
    return result;
}
)",
     R"(// source + count, added just here instead of being kept for every count.
inline const u16* elements_further(const u16* source, u64 count) { return source + count; }
)"},
    {"log2_approx",
     R"(__device__ __forceinline__ f32 log2_approx(f32 value) {
    f32 result;
    asm("lg2.approx.f32 %0, %1;" : "=f"(result) : "f"(value));
    return result;
}
)",
     R"(inline f32 log2_approx(f32 value) { return host_api->log2(value); }
)"},
};

}  // namespace

std::span<const Instruction> math_instructions() { return kRows; }

}  // namespace sagejit
