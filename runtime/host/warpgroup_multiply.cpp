#include "host/warpgroup_multiply.h"

#include <bit>

#include "tensor/half.h"

namespace sagejit::host {
namespace {

// The numbers of a tile's element.
int widen(WgmmaKind kind, u16 element, double* numbers) {
    switch (kind) {
        case WgmmaKind::kF16:
            numbers[0] = fp16_to_float(element);
            return 1;
        case WgmmaKind::kBf16:
            numbers[0] = bf16_to_float(element);
            return 1;
        case WgmmaKind::kE4m3:
            numbers[0] = e4m3_to_float(static_cast<u8>(element));
            numbers[1] = e4m3_to_float(static_cast<u8>(element >> 8));
            return 2;
        case WgmmaKind::kS8:
            numbers[0] = static_cast<i8>(element & 0xff);
            numbers[1] = static_cast<i8>(element >> 8);
            return 2;
    }
    return 0;
}

u32 add(WgmmaKind kind, double sum, u32 d, bool accumulate) {
    if (kind == WgmmaKind::kS8)
        return static_cast<u32>(static_cast<i32>(sum)) + (accumulate ? d : 0);
    const double before = accumulate ? std::bit_cast<f32>(d) : 0;
    return std::bit_cast<u32>(static_cast<f32>(sum + before));
}

WarpgroupMultiplier best_multiplier() {
    const WarpgroupMultiplier avx2 = avx2_warpgroup_multiplier();
    return avx2 != nullptr ? avx2 : multiply_warpgroup_plain;
}

}  // namespace

f32 e4m3_to_float(u8 bits) {
    const u32 exponent = bits >> 3 & 15, mantissa = bits & 7;
    const u32 sign = static_cast<u32>(bits >> 7) << 31;
    if (exponent == 15 && mantissa == 7) return std::bit_cast<f32>(sign | 0x7fc00000u);
    const f32 magnitude = exponent == 0
                              ? static_cast<f32>(mantissa) / 512
                              : std::bit_cast<f32>((exponent + 120) << 23 | mantissa << 20);
    return std::bit_cast<f32>(std::bit_cast<u32>(magnitude) | sign);
}

void multiply_warpgroup_plain(WgmmaKind kind, const OperandTiles& tiles, int n, bool accumulate,
                              u32 (*d)[kMaxColumns]) {
    for (int row = 0; row < kTileRows; ++row) {
        for (int column = 0; column < n; ++column) {
            double sum = 0;
            for (int k = 0; k < 16; ++k) {
                double a[2], b[2];
                const int numbers = widen(kind, tiles.a[row][k], a);
                widen(kind, tiles.b[k][column], b);
                for (int i = 0; i < numbers; ++i) sum += a[i] * b[i];
            }
            d[row][column] = add(kind, sum, d[row][column], accumulate);
        }
    }
}

void multiply_warpgroup(WgmmaKind kind, const OperandTiles& tiles, int n, bool accumulate,
                        u32 (*d)[kMaxColumns]) {
    static const WarpgroupMultiplier best = best_multiplier();
    best(kind, tiles, n, accumulate, d);
}

}  // namespace sagejit::host
