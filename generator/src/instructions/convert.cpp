// Bits and conversions. Pairs hold the lower element in the lower half.
#include "instructions.h"

namespace sagejit {
namespace {

constexpr Instruction kRows[] = {
    {"bits_to_f32",
     R"(__device__ __forceinline__ f32 bits_to_f32(u32 bits) { return __uint_as_float(bits); }
)",
     R"(inline f32 bits_to_f32(u32 bits) { return __builtin_bit_cast(f32, bits); }
)"},
    {"f32_to_bits",
     R"(__device__ __forceinline__ u32 f32_to_bits(f32 value) { return __float_as_uint(value); }
)",
     R"(inline u32 f32_to_bits(f32 value) { return __builtin_bit_cast(u32, value); }
)"},
    {"permute_bytes",
     R"(// Nibble i of the selector picks byte i of the result from bytes 0..3 of a, 4..7 of b.
__device__ __forceinline__ u32 permute_bytes(u32 a, u32 b, u32 selector) {
    return __byte_perm(a, b, selector);
}
)",
     R"(// Nibble i of the selector picks byte i of the result from bytes 0..3 of a, 4..7 of b.
inline u32 permute_bytes(u32 a, u32 b, u32 selector) {
    const u64 bytes = static_cast<u64>(b) << 32 | a;
    u32 result = 0;
    for (int i = 0; i < 4; ++i) {
        const u32 byte = static_cast<u32>(bytes >> (8 * (selector >> (4 * i) & 7))) & 0xFFu;
        result |= byte << (8 * i);
    }
    return result;
}
)"},
    {"max_u16x2",
     R"(// The larger of both halves, as unsigned integers (sm_90).
__device__ __forceinline__ u32 max_u16x2(u32 a, u32 b) {
    u32 result;
    asm("max.u16x2 %0, %1, %2;" : "=r"(result) : "r"(a), "r"(b));
    return result;
}
)",
     R"(// The larger of both halves, as unsigned integers (sm_90).
inline u32 max_u16x2(u32 a, u32 b) {
    const u32 low = (a & 0xFFFFu) > (b & 0xFFFFu) ? a & 0xFFFFu : b & 0xFFFFu;
    const u32 high = a >> 16 > b >> 16 ? a >> 16 : b >> 16;
    return high << 16 | low;
}
)"},
    {"f32_to_s8",
     R"(// Rounds to nearest even and saturates.
__device__ __forceinline__ i32 f32_to_s8(f32 value) {
    i32 result;
    asm("cvt.rni.sat.s8.f32 %0, %1;" : "=r"(result) : "f"(value));
    return result;
}
)",
     R"(// Rounds to nearest even and saturates.
inline i32 f32_to_s8(f32 value) {
    if (!(value > -128.0f)) return value == value ? -128 : 0;
    if (value > 127.0f) return 127;
    return static_cast<i32>((value + 12582912.0f) - 12582912.0f);
}
)"},
    {"f16_to_f32",
     R"(__device__ __forceinline__ f32 f16_to_f32(u16 bits) {
    f32 result;
    asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(bits));
    return result;
}
)",
     R"(inline f32 f16_to_f32(u16 bits) {
    const u32 magnitude = bits & 0x7FFFu;
    const u32 sign = static_cast<u32>(bits & 0x8000u) << 16;
    if (magnitude >= 0x7C00u) return bits_to_f32(sign | 0x7F800000u | (magnitude & 0x3FFu) << 13);
    // Scaling by 2^112 turns the half's exponent, and its denormals, into the float's.
    const f32 scaled = bits_to_f32(magnitude << 13) * 5192296858534827628530496329220096.0f;
    return bits_to_f32(f32_to_bits(scaled) | sign);
}
)"},
    {"bf16_to_f32",
     R"(__device__ __forceinline__ f32 bf16_to_f32(u16 bits) {
    return bits_to_f32(static_cast<u32>(bits) << 16);
}
)",
     R"(inline f32 bf16_to_f32(u16 bits) { return bits_to_f32(static_cast<u32>(bits) << 16); }
)"},
    {"larger_f16x2",
     R"(// The larger of both halves; NaN where one is NaN (sm_80).
__device__ __forceinline__ u32 larger_f16x2(u32 a, u32 b) {
    u32 result;
    asm("max.NaN.f16x2 %0, %1, %2;" : "=r"(result) : "r"(a), "r"(b));
    return result;
}
)",
     R"(// The larger of both halves; NaN where one is NaN (sm_80).
inline u32 larger_f16x2(u32 a, u32 b) {
    u32 result = 0;
    for (int i = 0; i < 32; i += 16) {
        const u16 left = static_cast<u16>(a >> i), right = static_cast<u16>(b >> i);
        const f32 x = f16_to_f32(left), y = f16_to_f32(right);
        const u32 half = x != x || y != y ? 0x7FFFu : x > y ? left : right;
        result |= half << i;
    }
    return result;
}
)"},
    {"smaller_f16x2",
     R"(// The smaller of both halves; NaN where one is NaN (sm_80).
__device__ __forceinline__ u32 smaller_f16x2(u32 a, u32 b) {
    u32 result;
    asm("min.NaN.f16x2 %0, %1, %2;" : "=r"(result) : "r"(a), "r"(b));
    return result;
}
)",
     R"(// The smaller of both halves; NaN where one is NaN (sm_80).
inline u32 smaller_f16x2(u32 a, u32 b) {
    u32 result = 0;
    for (int i = 0; i < 32; i += 16) {
        const u16 left = static_cast<u16>(a >> i), right = static_cast<u16>(b >> i);
        const f32 x = f16_to_f32(left), y = f16_to_f32(right);
        const u32 half = x != x || y != y ? 0x7FFFu : x < y ? left : right;
        result |= half << i;
    }
    return result;
}
)"},
    {"add_zeros_f16x2",
     R"(// seen + 0 * pair, of each half: NaN from the first number of pair on that is not finite.
__device__ __forceinline__ u32 add_zeros_f16x2(u32 seen, u32 pair) {
    u32 result;
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(pair), "r"(0), "r"(seen));
    return result;
}
)",
     R"(// seen + 0 * pair, of each half: NaN from the first number of pair on that is not finite.
inline u32 add_zeros_f16x2(u32 seen, u32 pair) {
    for (int i = 0; i < 32; i += 16) {
        if ((pair >> i & 0x7C00u) == 0x7C00u) seen |= 0x7FFFu << i;
    }
    return seen;
}
)"},
    {"add_zeros_bf16x2",
     R"(// seen + 0 * pair, of each half: NaN from the first number of pair on that is not finite.
__device__ __forceinline__ u32 add_zeros_bf16x2(u32 seen, u32 pair) {
    u32 result;
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(pair), "r"(0), "r"(seen));
    return result;
}
)",
     R"(// seen + 0 * pair, of each half: NaN from the first number of pair on that is not finite.
inline u32 add_zeros_bf16x2(u32 seen, u32 pair) {
    for (int i = 0; i < 32; i += 16) {
        if ((pair >> i & 0x7F80u) == 0x7F80u) seen |= 0x7FFFu << i;
    }
    return seen;
}
)"},
    {"larger_bf16x2",
     R"(// The larger of both halves; NaN where one is NaN (sm_80).
__device__ __forceinline__ u32 larger_bf16x2(u32 a, u32 b) {
    u32 result;
    asm("max.NaN.bf16x2 %0, %1, %2;" : "=r"(result) : "r"(a), "r"(b));
    return result;
}
)",
     R"(// The larger of both halves; NaN where one is NaN (sm_80).
inline u32 larger_bf16x2(u32 a, u32 b) {
    u32 result = 0;
    for (int i = 0; i < 32; i += 16) {
        const u16 left = static_cast<u16>(a >> i), right = static_cast<u16>(b >> i);
        const f32 x = bf16_to_f32(left), y = bf16_to_f32(right);
        const u32 half = x != x || y != y ? 0x7FFFu : x > y ? left : right;
        result |= half << i;
    }
    return result;
}
)"},
    {"smaller_bf16x2",
     R"(// The smaller of both halves; NaN where one is NaN (sm_80).
__device__ __forceinline__ u32 smaller_bf16x2(u32 a, u32 b) {
    u32 result;
    asm("min.NaN.bf16x2 %0, %1, %2;" : "=r"(result) : "r"(a), "r"(b));
    return result;
}
)",
     R"(// The smaller of both halves; NaN where one is NaN (sm_80).
inline u32 smaller_bf16x2(u32 a, u32 b) {
    u32 result = 0;
    for (int i = 0; i < 32; i += 16) {
        const u16 left = static_cast<u16>(a >> i), right = static_cast<u16>(b >> i);
        const f32 x = bf16_to_f32(left), y = bf16_to_f32(right);
        const u32 half = x != x || y != y ? 0x7FFFu : x < y ? left : right;
        result |= half << i;
    }
    return result;
}
)"},
    {"f32_to_f16x2",
     R"(__device__ __forceinline__ u32 f32_to_f16x2(f32 low, f32 high) {
    u32 result;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
    return result;
}
)",
     R"(inline u32 f32_to_f16x2(f32 low, f32 high) {
    return f32_to_f16_bits(low) | f32_to_f16_bits(high) << 16;
}
)"},
    {"f32_to_bf16x2",
     R"(__device__ __forceinline__ u32 f32_to_bf16x2(f32 low, f32 high) {
    u32 result;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
    return result;
}
)",
     R"(inline u32 f32_to_bf16(f32 value) {
    const u32 bits = f32_to_bits(value);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return 0x7FFFu;
    return (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
}
inline u32 f32_to_bf16x2(f32 low, f32 high) { return f32_to_bf16(low) | f32_to_bf16(high) << 16; }
)"},
    {"f32_to_e4m3x4",
     R"(// Rounds to nearest even and saturates; a in the lowest byte (sm_89).
__device__ __forceinline__ u32 f32_to_e4m3x4(f32 a, f32 b, f32 c, f32 d) {
    u32 result;
    asm("{\n"
        ".reg .b16 low, high;\n"
        "cvt.rn.satfinite.e4m3x2.f32 low, %2, %1;\n"
        "cvt.rn.satfinite.e4m3x2.f32 high, %4, %3;\n"
        "mov.b32 %0, {low, high};\n"
        "}"
        : "=r"(result)
        : "f"(a), "f"(b), "f"(c), "f"(d));
    return result;
}
)",
     R"(inline u32 f32_to_e4m3(f32 value) {
    const u32 bits = f32_to_bits(value);
    const u32 sign = bits >> 24 & 0x80u;
    const u32 magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) return 0x7Fu;
    if (magnitude >= 0x43E00000u) return sign | 0x7Eu;  // 448
    if (magnitude < 0x3C800000u) {                      // below 2^-6: denormal
        // Adding 2^14 puts the bits of a denormal at the end of the float, rounded.
        return sign | (f32_to_bits(bits_to_f32(magnitude) + 16384.0f) - 0x46800000u);
    }
    return sign | ((magnitude + 0x7FFFFu + (magnitude >> 20 & 1u) - 0x3C000000u) >> 20);
}
// Rounds to nearest even and saturates; a in the lowest byte (sm_89).
inline u32 f32_to_e4m3x4(f32 a, f32 b, f32 c, f32 d) {
    return f32_to_e4m3(a) | f32_to_e4m3(b) << 8 | f32_to_e4m3(c) << 16 | f32_to_e4m3(d) << 24;
}
)"},
    {"sum_e4m3x4",
     R"(// The sum of four e4m3 numbers; that of the first and the third, and of the others, in fp16.
__device__ __forceinline__ f32 sum_e4m3x4(u32 word) {
    f32 result;
    asm("{\n"
        ".reg .b16 low, high;\n"
        ".reg .b32 pair, other;\n"
        ".reg .f32 a, b;\n"
        "mov.b32 {low, high}, %1;\n"
        "cvt.rn.f16x2.e4m3x2 pair, low;\n"
        "cvt.rn.f16x2.e4m3x2 other, high;\n"
        "add.rn.f16x2 pair, pair, other;\n"
        "mov.b32 {low, high}, pair;\n"
        "cvt.f32.f16 a, low;\n"
        "cvt.f32.f16 b, high;\n"
        "add.rn.f32 %0, a, b;\n"
        "}"
        : "=f"(result)
        : "r"(word));
    return result;
}
)",
     R"(inline f32 e4m3_to_f32(u32 byte) {
    const u32 magnitude = byte & 0x7Fu;
    const f32 value = magnitude < 8 ? static_cast<f32>(magnitude) * 0x1p-9f
                                    : bits_to_f32((magnitude << 20) + 0x3C000000u);
    return (byte & 0x80u) != 0 ? -value : value;
}
// The sum of four e4m3 numbers; that of the first and the third, and of the others, in fp16.
inline f32 sum_e4m3x4(u32 word) {
    const auto number = [word](int i) { return e4m3_to_f32(word >> 8 * i & 0xFFu); };
    const auto in_fp16 = [](f32 value) {
        return f16_to_f32(static_cast<u16>(f32_to_f16x2(value, 0.0f)));
    };
    return in_fp16(number(0) + number(2)) + in_fp16(number(1) + number(3));
}
)"},
    {"round_products_f16x2",
     R"(// a * b of each half, to nearest even, in the half's low byte; for products below 511.
__device__ __forceinline__ u32 round_products_f16x2(u32 a, u32 b) {
    u32 result;
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(0x66006600u));
    return result;
}
)",
     R"(// a * b of each half, to nearest even, in the half's low byte; for products below 511.
inline u32 round_products_f16x2(u32 a, u32 b) {
    u32 result = 0;
    for (int half = 0; half < 2; ++half) {
        const double x = f16_to_f32(static_cast<u16>(a >> 16 * half));
        const double product = x * f16_to_f32(static_cast<u16>(b >> 16 * half));
        const double rounded = (product + 6755399441055744.0) - 6755399441055744.0;  // 1.5 * 2^52
        result |= ((0x6600u + static_cast<u32>(static_cast<i32>(rounded))) & 0xFFFFu) << 16 * half;
    }
    return result;
}
)"},
    {"multiply_f16x2",
     R"(__device__ __forceinline__ u32 multiply_f16x2(u32 a, u32 b) {
    u32 result;
    asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(result) : "r"(a), "r"(b));
    return result;
}
)",
     R"(inline u32 multiply_f16x2(u32 a, u32 b) {
    const f32 low = f16_to_f32(static_cast<u16>(a)) * f16_to_f32(static_cast<u16>(b));
    const f32 high = f16_to_f32(static_cast<u16>(a >> 16)) * f16_to_f32(static_cast<u16>(b >> 16));
    return f32_to_f16_bits(low) | f32_to_f16_bits(high) << 16;
}
)"},
};

}  // namespace

std::span<const Instruction> convert_instructions() { return kRows; }

}  // namespace sagejit
