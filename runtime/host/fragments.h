// The arithmetic of mma.sync on the matrices of one warp. Layouts: PTX ISA, "Matrix Fragments for
// mma.m16n8k32" and "for mma.m16n8k16".
#pragma once

#include "call.h"

namespace sagejit::host {

using abi::f32, abi::i32, abi::i64, abi::i8, abi::u16, abi::u32, abi::u64, abi::u8;

// One product as matrices. An element of `a` and `b` is two int8 or one fp16, neighbours in k.
struct Operands {
    alignas(32) u16 a[16][16];  // [m][k]
    alignas(32) u16 b[16][8];   // [k][n]
    alignas(32) u32 c[16][8];   // [m][n]: int32, fp32, or fp16 in the low half; also the result
};

// c += a * b in int32, wrapping around.
void multiply_s8(Operands& operands);
void multiply_u8s8(Operands& operands);
// c = a * b + c on fp16 a and b. The 16 products are exact and summed in double in the order of k;
// the sum with c is rounded once, to fp32 or fp16 (nearest even). Hardware may sum in another
// order and with fewer bits.
void multiply_f16_f32(Operands& operands);
void multiply_f16_f16(Operands& operands);

// The same functions for one instruction set. Results do not depend on it, bit for bit.
struct Multipliers {
    void (*s8)(Operands&);
    void (*u8s8)(Operands&);
    void (*f16_f32)(Operands&);
    void (*f16_f16)(Operands&);
};
extern const Multipliers plain_multipliers;
// Null where this CPU lacks AVX2, FMA or F16C.
const Multipliers* avx2_multipliers();

}  // namespace sagejit::host
