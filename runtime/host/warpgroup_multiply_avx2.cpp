// The arithmetic of wgmma with AVX2, FMA and F16C: four rows by eight columns at a time.
#include "host/warpgroup_multiply.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define SAGEJIT_AVX2 [[gnu::target("avx2,fma,f16c")]]
#define SAGEJIT_AVX2_INLINE [[gnu::target("avx2,fma,f16c"), gnu::always_inline]] inline

namespace sagejit::host {
namespace {

constexpr int kRows = 4;     // of a block
constexpr int kColumns = 8;  // of a block

// Pairs of int8 become pairs of int16, whose products vpmaddwd adds.
SAGEJIT_AVX2_INLINE __m256i widen_bytes(const u16* elements) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(elements)));
}

SAGEJIT_AVX2 void multiply_bytes(const OperandTiles& tiles, int n, bool accumulate,
                                 u32 (*d)[kMaxColumns]) {
    alignas(32) i32 a[kTileRows][16];
    for (int row = 0; row < kTileRows; ++row) {
        for (int half = 0; half < 2; ++half) {
            _mm256_store_si256(reinterpret_cast<__m256i*>(a[row]) + half,
                               widen_bytes(tiles.a[row] + 8 * half));
        }
    }
    for (int column = 0; column < n; column += kColumns) {
        __m256i b[16];
        for (int k = 0; k < 16; ++k) b[k] = widen_bytes(tiles.b[k] + column);
        for (int row = 0; row < kTileRows; row += kRows) {
            __m256i sum[kRows];
            for (int i = 0; i < kRows; ++i) {
                sum[i] =
                    accumulate
                        ? _mm256_load_si256(reinterpret_cast<const __m256i*>(d[row + i] + column))
                        : _mm256_setzero_si256();
            }
            for (int k = 0; k < 16; ++k) {
                for (int i = 0; i < kRows; ++i) {
                    const __m256i pair = _mm256_set1_epi32(a[row + i][k]);
                    sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(pair, b[k]));
                }
            }
            for (int i = 0; i < kRows; ++i) {
                _mm256_store_si256(reinterpret_cast<__m256i*>(d[row + i] + column), sum[i]);
            }
        }
    }
}

// The values of e4m3 bytes.
struct E4m3Table {
    f32 value[256];
    E4m3Table() {
        for (int i = 0; i < 256; ++i) value[i] = e4m3_to_float(static_cast<u8>(i));
    }
};

// Eight elements as floats: into one register, or, of e4m3, into two (lower and upper bytes).
template <WgmmaKind kind>
SAGEJIT_AVX2_INLINE void widen_elements(const u16* elements, const f32* e4m3, __m256* numbers) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(elements));
    const __m256i words = _mm256_cvtepu16_epi32(bits);
    if constexpr (kind == WgmmaKind::kF16) {
        numbers[0] = _mm256_cvtph_ps(bits);
    } else if constexpr (kind == WgmmaKind::kBf16) {
        numbers[0] = _mm256_castsi256_ps(_mm256_slli_epi32(words, 16));
    } else {
        const __m256i low = _mm256_and_si256(words, _mm256_set1_epi32(0xff));
        numbers[0] = _mm256_i32gather_ps(e4m3, low, 4);
        numbers[1] = _mm256_i32gather_ps(e4m3, _mm256_srli_epi32(words, 8), 4);
    }
}

SAGEJIT_AVX2_INLINE void store_doubles(double* destination, __m256 floats) {
    _mm256_store_pd(destination, _mm256_cvtps_pd(_mm256_castps256_ps128(floats)));
    _mm256_store_pd(destination + 4, _mm256_cvtps_pd(_mm256_extractf128_ps(floats, 1)));
}

// One block: d = a b (+ d). a: [row][depth]; b: [depth][kColumns].
template <int depth>
SAGEJIT_AVX2_INLINE void multiply_block(const double (*a)[depth], const double (*b)[kColumns],
                                        bool accumulate, u32* const* d) {
    __m256d low[kRows], high[kRows];
    for (int i = 0; i < kRows; ++i) low[i] = high[i] = _mm256_setzero_pd();
    for (int k = 0; k < depth; ++k) {
        const __m256d b_low = _mm256_load_pd(b[k]), b_high = _mm256_load_pd(b[k] + 4);
        for (int i = 0; i < kRows; ++i) {
            const __m256d factor = _mm256_broadcast_sd(&a[i][k]);
            low[i] = _mm256_fmadd_pd(factor, b_low, low[i]);
            high[i] = _mm256_fmadd_pd(factor, b_high, high[i]);
        }
    }
    for (int i = 0; i < kRows; ++i) {
        f32* const sums = reinterpret_cast<f32*>(d[i]);
        if (accumulate) {
            const __m256 before = _mm256_load_ps(sums);
            low[i] = _mm256_add_pd(low[i], _mm256_cvtps_pd(_mm256_castps256_ps128(before)));
            high[i] = _mm256_add_pd(high[i], _mm256_cvtps_pd(_mm256_extractf128_ps(before, 1)));
        }
        _mm256_store_ps(sums, _mm256_set_m128(_mm256_cvtpd_ps(high[i]), _mm256_cvtpd_ps(low[i])));
    }
}

template <WgmmaKind kind>
SAGEJIT_AVX2 void multiply_floats(const OperandTiles& tiles, int n, bool accumulate,
                                  u32 (*d)[kMaxColumns]) {
    static const E4m3Table table;
    constexpr int parts = kind == WgmmaKind::kE4m3 ? 2 : 1;
    constexpr int depth = 16 * parts;
    alignas(32) double a[kTileRows][depth];
    alignas(32) double lanes[parts][8];
    __m256 numbers[parts];
    for (int row = 0; row < kTileRows; ++row) {
        for (int half = 0; half < 2; ++half) {
            widen_elements<kind>(tiles.a[row] + 8 * half, table.value, numbers);
            for (int part = 0; part < parts; ++part) store_doubles(lanes[part], numbers[part]);
            for (int k = 0; k < 8; ++k) {
                for (int part = 0; part < parts; ++part) {
                    a[row][(8 * half + k) * parts + part] = lanes[part][k];
                }
            }
        }
    }
    for (int column = 0; column < n; column += kColumns) {
        alignas(32) double b[depth][kColumns];
        for (int k = 0; k < 16; ++k) {
            widen_elements<kind>(tiles.b[k] + column, table.value, numbers);
            for (int part = 0; part < parts; ++part) {
                store_doubles(b[k * parts + part], numbers[part]);
            }
        }
        for (int row = 0; row < kTileRows; row += kRows) {
            u32* const rows[kRows] = {d[row] + column, d[row + 1] + column, d[row + 2] + column,
                                      d[row + 3] + column};
            multiply_block<depth>(a + row, b, accumulate, rows);
        }
    }
}

SAGEJIT_AVX2 void multiply(WgmmaKind kind, const OperandTiles& tiles, int n, bool accumulate,
                           u32 (*d)[kMaxColumns]) {
    switch (kind) {
        case WgmmaKind::kS8:
            return multiply_bytes(tiles, n, accumulate, d);
        case WgmmaKind::kF16:
            return multiply_floats<WgmmaKind::kF16>(tiles, n, accumulate, d);
        case WgmmaKind::kBf16:
            return multiply_floats<WgmmaKind::kBf16>(tiles, n, accumulate, d);
        case WgmmaKind::kE4m3:
            return multiply_floats<WgmmaKind::kE4m3>(tiles, n, accumulate, d);
    }
}

}  // namespace

WarpgroupMultiplier avx2_warpgroup_multiplier() {
    // Every CPU with AVX2 has F16C, which not every compiler can ask for.
    const bool supported = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return supported ? multiply : nullptr;
}

}  // namespace sagejit::host

#else

namespace sagejit::host {

WarpgroupMultiplier avx2_warpgroup_multiplier() { return nullptr; }

}  // namespace sagejit::host
#endif
