// The arithmetic of mma.sync with AVX2, FMA and F16C: one row of B, eight columns wide, a step.
#include "host/fragments.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define SAGEJIT_AVX2 [[gnu::target("avx2,fma,f16c")]]
#define SAGEJIT_AVX2_INLINE [[gnu::target("avx2,fma,f16c"), gnu::always_inline]] inline

namespace sagejit::host {
namespace {

SAGEJIT_AVX2_INLINE __m128i load_half_row(const u16* row) {
    return _mm_load_si128(reinterpret_cast<const __m128i*>(row));
}

// Pairs of int8 become pairs of int16, whose products vpmaddwd adds.
SAGEJIT_AVX2_INLINE __m256i widen(__m128i bytes, i8) { return _mm256_cvtepi8_epi16(bytes); }
SAGEJIT_AVX2_INLINE __m256i widen(__m128i bytes, u8) { return _mm256_cvtepu8_epi16(bytes); }

template <typename ByteA>
SAGEJIT_AVX2 void multiply_bytes(Operands& x) {
    __m256i b[16];
    for (int k = 0; k < 16; ++k) b[k] = widen(load_half_row(x.b[k]), i8());
    for (int m = 0; m < 16; ++m) {
        alignas(32) u32 a[16];
        for (int half = 0; half < 2; ++half) {
            _mm256_store_si256(reinterpret_cast<__m256i*>(a) + half,
                               widen(load_half_row(x.a[m] + 8 * half), ByteA()));
        }
        auto* c = reinterpret_cast<__m256i*>(x.c[m]);
        __m256i sum = _mm256_load_si256(c);
        for (int k = 0; k < 16; ++k) {
            const __m256i pair = _mm256_set1_epi32(static_cast<i32>(a[k]));
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pair, b[k]));
        }
        _mm256_store_si256(c, sum);
    }
}

struct Row {
    __m256d low, high;  // columns 0-3 and 4-7
};

SAGEJIT_AVX2_INLINE Row to_double(__m256 row) {
    return {_mm256_cvtps_pd(_mm256_castps256_ps128(row)),
            _mm256_cvtps_pd(_mm256_extractf128_ps(row, 1))};
}

SAGEJIT_AVX2_INLINE Row load_accumulator(const u32* c, f32) {
    return to_double(_mm256_load_ps(reinterpret_cast<const f32*>(c)));
}
SAGEJIT_AVX2_INLINE Row load_accumulator(const u32* c, u16) {
    const __m256i words = _mm256_load_si256(reinterpret_cast<const __m256i*>(c));
    const __m128i halves =
        _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    return to_double(_mm256_cvtph_ps(halves));
}

SAGEJIT_AVX2_INLINE void store_accumulator(u32* c, Row sum, f32) {
    _mm256_store_ps(reinterpret_cast<f32*>(c),
                    _mm256_set_m128(_mm256_cvtpd_ps(sum.high), _mm256_cvtpd_ps(sum.low)));
}

// A mask of four 64-bit elements as one of 32 bits.
SAGEJIT_AVX2_INLINE __m128i narrow(__m256d mask) {
    const __m256i even = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
    return _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(_mm256_castpd_si256(mask), even));
}

// To fp32 so that a second rounding, to fp16, gives what one would have: an inexact result gets an
// odd last bit ("round to odd"; S. Boldo, G. Melquiond, "Emulation of FMA and correctly rounded
// sums", 2008).
SAGEJIT_AVX2_INLINE __m128 round_to_odd(__m256d value) {
    const __m128 nearest = _mm256_cvtpd_ps(value);
    const __m256d back = _mm256_cvtps_pd(nearest);
    const __m256d absolute = _mm256_castsi256_pd(_mm256_set1_epi64x(0x7fffffffffffffff));
    const __m128i too_large = narrow(
        _mm256_cmp_pd(_mm256_and_pd(back, absolute), _mm256_and_pd(value, absolute), _CMP_GT_OQ));
    const __m128i inexact = narrow(_mm256_cmp_pd(back, value, _CMP_NEQ_OQ));
    const __m128i truncated = _mm_add_epi32(_mm_castps_si128(nearest), too_large);
    return _mm_castsi128_ps(_mm_or_si128(truncated, _mm_srli_epi32(inexact, 31)));
}

SAGEJIT_AVX2_INLINE void store_accumulator(u32* c, Row sum, u16) {
    const __m256 row = _mm256_set_m128(round_to_odd(sum.high), round_to_odd(sum.low));
    const __m256i words = _mm256_cvtepu16_epi32(_mm256_cvtps_ph(row, _MM_FROUND_TO_NEAREST_INT));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(row, row, _CMP_UNORD_Q));
    _mm256_store_si256(reinterpret_cast<__m256i*>(c),
                       _mm256_blendv_epi8(words, _mm256_set1_epi32(0x7fff), nan));
}

template <typename Accumulator>
SAGEJIT_AVX2 void multiply_halves(Operands& x) {
    Row b[16];
    for (int k = 0; k < 16; ++k) b[k] = to_double(_mm256_cvtph_ps(load_half_row(x.b[k])));
    for (int m = 0; m < 16; ++m) {
        alignas(32) double a[16];
        for (int half = 0; half < 2; ++half) {
            const Row part = to_double(_mm256_cvtph_ps(load_half_row(x.a[m] + 8 * half)));
            _mm256_store_pd(a + 8 * half, part.low);
            _mm256_store_pd(a + 8 * half + 4, part.high);
        }
        Row sum = {_mm256_setzero_pd(), _mm256_setzero_pd()};
        for (int k = 0; k < 16; ++k) {
            const __m256d factor = _mm256_broadcast_sd(a + k);
            sum.low = _mm256_fmadd_pd(factor, b[k].low, sum.low);
            sum.high = _mm256_fmadd_pd(factor, b[k].high, sum.high);
        }
        const Row c = load_accumulator(x.c[m], Accumulator());
        sum = {_mm256_add_pd(sum.low, c.low), _mm256_add_pd(sum.high, c.high)};
        store_accumulator(x.c[m], sum, Accumulator());
    }
}

constexpr Multipliers kMultipliers = {multiply_bytes<i8>, multiply_bytes<u8>, multiply_halves<f32>,
                                      multiply_halves<u16>};

}  // namespace

const Multipliers* avx2_multipliers() {
    // Every CPU with AVX2 has F16C, which not every compiler can ask for.
    const bool supported = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return supported ? &kMultipliers : nullptr;
}

}  // namespace sagejit::host

#else

namespace sagejit::host {

const Multipliers* avx2_multipliers() { return nullptr; }

}  // namespace sagejit::host
#endif
