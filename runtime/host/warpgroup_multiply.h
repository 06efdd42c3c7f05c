// The arithmetic of wgmma.mma_async m64nN on the matrices of a warpgroup.
#pragma once

#include "host/fragments.h"
#include "host/sanitizers.h"

namespace sagejit::host {

inline constexpr int kTileRows = 64;
inline constexpr int kMaxColumns = 256;

enum class WgmmaKind : u32 { kS8 = 0, kF16 = 1, kBf16 = 2, kE4m3 = 3 };

// 32 bytes of each row of A and column of B. An element is two 8-bit numbers or one of 16 bits,
// neighbours in k.
struct OperandTiles {
    alignas(64) u16 a[kTileRows][16];    // [m][k]
    alignas(64) u16 b[16][kMaxColumns];  // [k][n]
};

// d = a b, plus d where accumulate; n columns, a multiple of 8. int8: int32, wrapping around.
// Others: products are exact and summed in double in the order of k; the sum with d is rounded once
// to fp32. (Hardware sums e4m3 with about 13 bits below the largest term, and truncates.)
void multiply_warpgroup(WgmmaKind kind, const OperandTiles& tiles, int n, bool accumulate,
                        u32 (*d)[kMaxColumns]);

// The same for one instruction set. Results do not depend on it, bit for bit.
using WarpgroupMultiplier = void (*)(WgmmaKind, const OperandTiles&, int, bool,
                                     u32 (*)[kMaxColumns]);
void multiply_warpgroup_plain(WgmmaKind kind, const OperandTiles& tiles, int n, bool accumulate,
                              u32 (*d)[kMaxColumns]);
// Null where this CPU lacks AVX2, FMA or F16C.
WarpgroupMultiplier avx2_warpgroup_multiplier();

// The value of an e4m3 byte: sign, four bits of exponent, three of mantissa; 0x7f is NaN.
f32 e4m3_to_float(u8 bits);

}  // namespace sagejit::host
