#include "reference/matrix_multiply.h"

#include <cstring>

// Vector types make the inner loop fast without optimisation flags. AVX2 is used where the CPU has
// it; asking at run time, not by an ifunc, works under the sanitizers too.
#if defined(__x86_64__)
#define SAGEJIT_AVX2 __attribute__((target("avx2")))
#define SAGEJIT_HAS_AVX2() __builtin_cpu_supports("avx2")
#else
#define SAGEJIT_AVX2
#define SAGEJIT_HAS_AVX2() false
#endif

namespace sagejit {
namespace {

constexpr int kRows = 4, kColumns = 8, kLanes = 4;
using Vector = double __attribute__((vector_size(kLanes * sizeof(double))));

// c[kTileRows, kColumns] += a[kTileRows, k] * b[k, kColumns]. Vectors are copied in and out one by
// one and loops over them unrolled: otherwise GCC keeps the sums in memory.
template <int kTileRows>
[[gnu::always_inline]] inline void multiply_tile(double* c, int64_t c_stride, ConstMatrix a,
                                                 ConstMatrix b, int64_t k) {
    static_assert(kColumns == 2 * kLanes);
    Vector sum[kTileRows][2];
#pragma GCC unroll 8
    for (int i = 0; i < kTileRows; ++i) {
        std::memcpy(&sum[i][0], c + i * c_stride, sizeof(Vector));
        std::memcpy(&sum[i][1], c + i * c_stride + kLanes, sizeof(Vector));
    }
    for (int64_t p = 0; p < k; ++p) {
        Vector right[2];
        std::memcpy(&right[0], b.data + p * b.stride, sizeof(Vector));
        std::memcpy(&right[1], b.data + p * b.stride + kLanes, sizeof(Vector));
#pragma GCC unroll 8
        for (int i = 0; i < kTileRows; ++i) {
            const double left = a.data[i * a.stride + p];
            sum[i][0] += left * right[0];
            sum[i][1] += left * right[1];
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < kTileRows; ++i) {
        std::memcpy(c + i * c_stride, &sum[i][0], sizeof(Vector));
        std::memcpy(c + i * c_stride + kLanes, &sum[i][1], sizeof(Vector));
    }
}

[[gnu::always_inline]] inline void multiply(double* c, int64_t c_stride, ConstMatrix a,
                                            ConstMatrix b, int64_t m, int64_t n, int64_t k) {
    int64_t column = 0;
    for (; column + kColumns <= n; column += kColumns) {
        const ConstMatrix b_part = {b.data + column, b.stride};
        int64_t row = 0;
        for (; row + kRows <= m; row += kRows)
            multiply_tile<kRows>(c + row * c_stride + column, c_stride,
                                 {a.data + row * a.stride, a.stride}, b_part, k);
        for (; row < m; ++row)
            multiply_tile<1>(c + row * c_stride + column, c_stride,
                             {a.data + row * a.stride, a.stride}, b_part, k);
    }
    for (; column < n; ++column)
        for (int64_t row = 0; row < m; ++row)
            for (int64_t p = 0; p < k; ++p)
                c[row * c_stride + column] +=
                    a.data[row * a.stride + p] * b.data[p * b.stride + column];
}

SAGEJIT_AVX2 void multiply_avx2(double* c, int64_t c_stride, ConstMatrix a, ConstMatrix b,
                                int64_t m, int64_t n, int64_t k) {
    multiply(c, c_stride, a, b, m, n, k);
}

}  // namespace

void multiply_add(double* c, int64_t c_stride, ConstMatrix a, ConstMatrix b, int64_t m, int64_t n,
                  int64_t k) {
    static const bool avx2 = SAGEJIT_HAS_AVX2();
    if (avx2)
        multiply_avx2(c, c_stride, a, b, m, n, k);
    else
        multiply(c, c_stride, a, b, m, n, k);
}

}  // namespace sagejit
