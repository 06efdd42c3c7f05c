// C += A * B in fp64 on the CPU.
#pragma once

#include <cstdint>

namespace sagejit {

// A row-major matrix: element (i, j) is data[i * stride + j].
struct ConstMatrix {
    const double* data;
    int64_t stride;
};

// c[m, n] += a[m, k] * b[k, n]. Every element adds one product at a time, in the order of rising k,
// and products are not fused with additions: with and without AVX2 the result is the same.
void multiply_add(double* c, int64_t c_stride, ConstMatrix a, ConstMatrix b, int64_t m, int64_t n,
                  int64_t k);

}  // namespace sagejit
